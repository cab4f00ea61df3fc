// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "eed4682a558010ae", "sha384-h6fMuUcOF2tSaCfX1udM7lsxVQh6jIyvkFdyj2ZjTPcDeygBw+k+FFjsP5WiRYMI"),
    ("lastmile-core.js", "efa7f5d261401e4a", "sha384-+2yMCrTRse/VKrlqIkJOyceaURYgK3oCZdXIyuUikAD6y4ufBOMC/Pi/Z0J+irdx"),
    ("aggregatorClient.js", "8eeddb590b5bae1d", "sha384-r0wWBh7+fnBWmeAd4PW+76M21TeCbXaQhYZ+6mPb7ISTH+eoR8ySAuR6DTTPQ7u5"),
];
