// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "dd5c0aa0e8ccc336", "sha384-Y4IQfIxUdWjHwbULaT9NeY71by9ib5dB7dTGfusXqXG+IB5ioh4NkEfJNdJxJYkC"),
    ("lastmile-core.js", "467c26ef395a0a22", "sha384-haStufO/vjGNW9ijX2HpWUheC9YZsWKpbGiVgw4oc8YsYLuXYyKMLawDtF3o75ph"),
    ("aggregatorClient.js", "e7eba89264865279", "sha384-zw94xil9NXQosrTIkQb8O+vFA3j/4ZDcl692+lUaETJgAKnf/hOHv0Daz09KfQbh"),
];
