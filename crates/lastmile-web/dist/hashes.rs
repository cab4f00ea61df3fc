// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "46ff8cc659e20387", "sha384-d1KATWKwxy3HhJD+sm/QyOFI1r4oqXIkRZ01AIJkjY/zVNEmEeCzwLeN1VNHyOLA"),
    ("lastmile-core.js", "437ce31c995d7cc7", "sha384-xr6/G2GTyWImCKtWV3twSkgk+TF/Xg78yhYQ6TU5qUhh9ve22w+LmdUGBN7OtQlS"),
    ("aggregatorClient.js", "ec7f79748433269e", "sha384-JsFwoYk2ZE3D5DXeWuJsPiAIb5u6b9Q7wU4Bv4TeWH6svLozbav7EfMlQ/DJk4ZC"),
];
