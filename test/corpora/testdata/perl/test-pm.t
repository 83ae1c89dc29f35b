use strict;
use Test;

BEGIN { plan tests => 4, todo => [2]; }
ok(1);
ok(0);
skip('no printer', 0);
ok(1);
