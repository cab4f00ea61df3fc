// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "7866abdb6bc10f2d", "sha384-pcHkOfokhJy19icviXl+Nl8Ekr0k5PVpgh29BVz4Db3j89YoNp3nkweCyqDniJ/t"),
    ("lastmile-core.js", "e81feae065b48e4c", "sha384-3L4v393S0kFYmZEUbGmcSg8kbmMBM0WvMsFvtCwxkVv2QWfrSJcSGpi1xePYNf5S"),
    ("aggregatorClient.js", "af87d1da3b7e5011", "sha384-9543Kkp2K/bPw2OghFGxukzUTdL4bWejO3rfYsWFP9HJKgUNtdRqDm+oRLbiFRDq"),
];
