// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "1b6cebd5b5302354", "sha384-Fn4iLhgWdUzhDRZw5RHRs210QRH3lEBDFqyDfG/mwAYgeGn24Ii55aQnl5tlktLK"),
    ("lastmile-core.js", "329b64a88a9023fa", "sha384-aJodLiXkX9KaEA1YEU+Wc9EdQ4rpOty1rnXyfb0ARR8r43rgGOSjk2bfeYIujOWg"),
    ("aggregatorClient.js", "7015ecf61c0d414d", "sha384-P6irEkpkn0f6raog4Utm2kMZTvsi8QjMfFhohWABI1MQfq7jXJ610xEyuC6N9u+C"),
];
