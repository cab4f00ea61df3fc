// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "6f5ca4a58576ca0a", "sha384-WVHOEWPtPiUvJ8SoOy3STAchv1T4u9JHfVQ/+TyWA3dPkpN/O4SDLBcENiqts21h"),
    ("lastmile-core.js", "29e0f5fb7df79962", "sha384-HlrSdKbpr+r+OujaQX1U8f3/7AZdHZlx9lnqL384gAANLb4vlkQYZAOc6JBog+He"),
    ("aggregatorClient.js", "d171e9ce6f315961", "sha384-3AQfAsl2p6mT/fBEiB09Iy+3GuEjz2CAcJdQlGM5ZvpGr1uKV1aF4IKcQ0Wdgu79"),
];
