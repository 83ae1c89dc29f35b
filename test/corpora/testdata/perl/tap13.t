print "TAP version 13\n1..3\nok 1 - a\n  ---\n  duration_ms: 5\n  ...\nnot ok 2 - b # TODO later\n  ---\n  message: |\n    not ok 9\n  ...\nok 3 - c # skip it\n";
