use strict; use warnings;
use Test::More;

subtest 'shop' => sub {
    ok(1, 'open');
    subtest 'till' => sub { plan tests => 2; ok(1, 'opens'); ok(0, 'adds up'); };
    subtest 'cellar' => sub { plan skip_all => 'dark'; };
};
subtest 'attic' => sub { TODO: { local $TODO = 'clean'; ok(0, 'clean'); } ok(1); };
subtest 'nothing in it' => sub { };
TODO: { local $TODO = 'roof'; subtest 'roof' => sub { ok(0, 'tight'); }; }
done_testing;
