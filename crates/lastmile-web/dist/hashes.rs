// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "9238beff94ee4a43", "sha384-1HiXVBDiYVonBpAvn9ggTu/EgYzLI4mYfbhkKxqgSUK739vZSOUf3nN16GMzQz/S"),
    ("lastmile-core.js", "028f03afbb8aedf1", "sha384-+pqYumbS1jCBJNTKmkPU+S0YI7UgYy+XAs2IqjdwnXyJj6/pVeqgX8UU7aus9PqS"),
    ("aggregatorClient.js", "2c990da44336b370", "sha384-fg3voWCHPNM4UfmwQjSvFy5RBPkd/J5I2ejpo/0RbNvGbfMod2tCPMUY+46IXq/b"),
];
