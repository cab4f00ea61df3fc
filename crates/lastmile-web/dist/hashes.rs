// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "3610758e963a2750", "sha384-it6E6m/554qpfD2Gr52Lw0n2PXgvMcE5Eq3AowVCYcx6Ipcrv/yeHCFbTkWIYPmG"),
    ("lastmile-core.js", "5a2434baf994b995", "sha384-yDcLHCEbmkJEyIBgfdHuFtHgTLwNoe1N44Br4s50k8hIZenYmrjIepS+P+EafgmU"),
    ("aggregatorClient.js", "8b2aaf70043d3c96", "sha384-yd88C9MjbgY/xz5Xtwd1bswsKNotQag3SGz4lBMHIpuP+iBdml2wU7iho4WAyaMj"),
];
