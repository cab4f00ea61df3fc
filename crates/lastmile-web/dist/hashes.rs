// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "2cfecc7788144f84", "sha384-AeTEdN9Rn+SaIDkIiEZubZaz0KybBMAs9bQH2yncpywxxce3v/GXaqv0Pw4HCh2O"),
    ("lastmile-core.js", "baa9f28ba5cfe41e", "sha384-WN0olJ/b7CHXNIYj8DBqREzwezgY3CELFFUrY/hMcEKKyCQHJKUR66MmeajmLuWx"),
    ("aggregatorClient.js", "d73977e1e44111d1", "sha384-3cvtEmHs0iyUszQrk3DbxDb0PO9WKU2o8iz2oPz//Ym46CtAZ3Hppz2tp+Qh+aqk"),
];
