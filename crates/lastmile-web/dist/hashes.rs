// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "b9029139938a3392", "sha384-HaAtGLxKsDowyqG/+gf4I+22FcWHee6JIBRDMv6OCZgvTLcbg4vgOolJKng8e8z6"),
    ("lastmile-core.js", "418f53136f2523b1", "sha384-KMWypJUMqjkAX6pLh5nH2GBIvgpKujIQXgyVnnV67BIOcpv7Rd9ZHeSvx6ucRDgX"),
    ("aggregatorClient.js", "0fd1d3d5cde8a530", "sha384-PeoLGyNu7Oisd+yzJkbQrjI8Qq7JDSuyLfIc30RglN1z5PuPvA0u9tpzGpZXD38W"),
];
