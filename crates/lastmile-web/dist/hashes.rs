// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "e01365985c0c76d5", "sha384-tfvn7JT7KywCmAZIByK8stINA5biuXtMOXTOYuiVpzCTXwEw0Ix9nh1H4K96+QK8"),
    ("lastmile-core.js", "82555875dacac7c1", "sha384-35fROECnooRkTuII7WzW3YlCdV2zsYJNO7zYlDM9+HPf2dguFMxsk7W+GpU1sSQA"),
    ("aggregatorClient.js", "7b691bef9be55422", "sha384-/T9pK5ZnimVa5HYhidjRpVeb/scz8zwnRoFF8SgaSyQ/01WuXrmwvjuNIkEQLObp"),
];
