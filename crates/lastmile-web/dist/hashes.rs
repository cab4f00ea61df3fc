// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "dc82cdd4f5eca828", "sha384-HEgE3B2yRuPY4WA1NuhiGHlWkHJ2d73wGGMS1v2IBtMexRQ5VyvADGUvIwVh0Ndw"),
    ("lastmile-core.js", "af9019cb51dbe19e", "sha384-2wC9rModlJ53EAEEoecTxRTBRPBYnm9yMR2BVOD4hECxYi/VfLrnuRfDbds0HgXL"),
    ("aggregatorClient.js", "5ec726f542536f65", "sha384-d5QTlOUGKQRUobybUgVtx6+uPOfqReSW910iYB3v2O/PkuYFSTWE28xFoh8h0fld"),
];
