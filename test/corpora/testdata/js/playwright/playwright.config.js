module.exports = { testDir: '.', workers: 2, outputDir: './written' };
