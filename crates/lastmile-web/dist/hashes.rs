// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "75718adda26584ed", "sha384-87Aar9uK6ZW5uOg/10OGBo7Vofarie/eadqXInxIbISCZPIdg2ttxMAnUNzm5zua"),
    ("lastmile-core.js", "39f2a31a34faec98", "sha384-KzrTzctVHQ57hx73+NBCXsBNPnBUO9JuO0Ne4SFscvcXFMDYs2gJqNtrqcRlnrui"),
    ("aggregatorClient.js", "afee62b7e1d4821e", "sha384-aS51KisDnSJM1jHjHVirdKIyOMZ6r5a/d8Am+pKSBJDuEc49dv2/usSTyHdwxpJS"),
];
