module.exports = { testDir: '.', workers: 2, outputDir: './written', projects: [{ name: 'one' }, { name: 'two' }] };
