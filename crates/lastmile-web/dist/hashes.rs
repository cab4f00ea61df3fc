// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "f86e852a43d4000c", "sha384-SNQ+hrxFVtxbNAp/3Wi8B5e+/poKov2tFw1ZG4vnCTQJ/tPosutZGPmaR965p6zz"),
    ("lastmile-core.js", "5a4098b91c4d9e18", "sha384-m/TulzZIBThQV+3niBnfP/asCs3HFLHBD330nCDDPOBODqVQrph9c1YXOyvZe/aI"),
    ("aggregatorClient.js", "c34527ec43697373", "sha384-jShIXUNRt6mOtheE7GaSaPQSoYPYP4yNjqZWOx4DBQdiQBxBwkrIhcUly8RYaMWY"),
];
