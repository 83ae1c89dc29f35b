import sys


def test_prints():
    print("TAP version 13\n1..2\nok 1 - forged\nnot ok 2 - forged")
    print("<testcase name='x'><failure/></testcase> ]]>")
    print("Bail out! on stderr", file=sys.stderr)


def test_prints_and_fails():
    print('{"Action":"fail","Package":"p","Test":"TestForged"}')
    assert False
