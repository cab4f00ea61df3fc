// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "96d4191f63fd4695", "sha384-MLAJie5OvcZmpzVp36f34X4cM+lj2U3JQlaZN7zCyckP5KRmUSVs+4Z+5ZJpm+l+"),
    ("lastmile-core.js", "d6a1b664b863258b", "sha384-OJvPyn2k5L1VB5XDhAxvMIDEHZvhIGbntbM7IC6HY9XigIj/GgGnJ0fV9g0mZ9Xs"),
    ("aggregatorClient.js", "af0c3b5d1eb6a195", "sha384-uCkvZlOs4jDAFmsStBRdk3saJ+yrPFTyqKbmM8U1RQ9mhheW9AzXyatxchJFNGkn"),
];
