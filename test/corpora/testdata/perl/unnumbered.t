print "ok - a\nok - b\nok\n1..3\n";
