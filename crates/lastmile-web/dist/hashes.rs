// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "78f60ae2034efbfa", "sha384-WsNvnnELVwG+p1awknaQYwHP4OIm4F+RpC4B8tdofn3XBHD4tEDs1MKhO1zDZWwZ"),
    ("lastmile-core.js", "b39023406918e740", "sha384-80W3PYCNIPQwrEp1vvfoQ+hn0GWUn0RyiYmQTbUJF36iCbF9YgpHmgToOG2MzuQ/"),
    ("aggregatorClient.js", "06cbacb1df12ec09", "sha384-SCsgLU6pDq7xulTtwOvFR8Hklu+DxrVRQOUQ1jG6yppdWhzk7Pv2B/3EHkcFu+iH"),
];
