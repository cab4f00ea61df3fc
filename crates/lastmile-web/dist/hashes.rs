// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "d79b134ee73385c5", "sha384-o2lZkHSZFW8ibQSrVoJjfLJOpyRCxVKrCwaqlCHpp9YVO5sOnCqyjyO9WAp9Og7X"),
    ("lastmile-core.js", "1e8fdebdd4e39e42", "sha384-VRJkMiED+HlMK77Um4loHYKm3R9txDgF+5TkfCeSMQgmbPtFIE7ZejW+4dpBs9/f"),
    ("aggregatorClient.js", "371e9a32ffd57c27", "sha384-HkQG3HS7mdVGuVzuK7WbKG4AEwh1GYXaTDWgT+sfLpmv3H59NKapHiXwUekizUyW"),
];
