package tap

import "testing"

func TestALocationIsReadFromWhatIsSaidOfAPoint(t *testing.T) {
	yaml := func(content ...string) string {
		text := "1..1\nok 1 - a\n  ---\n"
		for _, line := range content {
			text += "  " + line + "\n"
		}
		return text + "  ...\n"
	}
	for _, c := range []struct{ name, stdout, want string }{
		{"node:test", yaml("duration_ms: 1", "location: '/app/till.test.js:3:1'"), "/app/till.test.js:3"},
		{"tape", yaml("operator: equal", "at: Test.<anonymous> (/app/till.js:2:28)"), "/app/till.js:2"},
		{"a module", yaml("at: file:///app/till.mjs:2:28"), "/app/till.mjs:2"},
		{"vitest", yaml("error:", "    name: x", `at: "/app/till.ts:12:13"`), "/app/till.ts:12"},
		{"node-tap", yaml("at:", "  line: 5", "  column: 7", "  file: test/till.js"), "test/till.js:5"},
		{"a newer node-tap", yaml("at:", "  fileName: test/till.js", "  lineNumber: 5", "stack: x"), "test/till.js:5"},
		{"TAP 13", yaml("file: t/till.t", "line: 5"), "t/till.t:5"},
		{"a path with colons", yaml(`at: C:\app\till.js:5:1`), `C:\app\till.js:5`},
		{"the first one", yaml("location: a.js:1:1", "at: b.js:2:2"), "a.js:1"},
		{"no line", yaml("at: till.js"), ""},
		{"no file", yaml("line: 5"), ""},
		{"another mapping", yaml("actual:", "  file: a.js", "  line: 5"), ""},
		{"a mapping after that", yaml("at:", "actual:", "  file: a.js", "  line: 5"), ""},
		{"a line that is none", yaml("file: a.js", "line: 5th"), ""},
		{"Test::More", "1..1\nnot ok 1\n#   Failed test 'a'\n#   at t/a b.t line 5.\n", "t/a b.t:5"},
		{"Test::More without a name", "1..1\nnot ok 1\n#   Failed test at t/a.t line 5.\n", "t/a.t:5"},
		{"bats", "1..1\nnot ok 1 a\n# (in test file test/a.bats, line 14)\n", "test/a.bats:14"},
		{"a helper of bats", "1..1\nnot ok 1 a\n# (from function `f' in file test/h.bash, line 7,\n#  in test file test/a.bats, line 31)\n", "test/a.bats:31"},
		{"prose", "1..1\nnot ok 1 a\n# look at the line 5 of it\n# at line 5\n", ""},
		{"a name like a location", "1..1\nnot ok 1\n#   Failed test 'look at the line 5'\n#   at a.t line 7.\n", "a.t:7"},
	} {
		s, _ := read(c.stdout, "", wholly, false)
		if got := s.Cases()[0].Location; got != c.want {
			t.Errorf("%s: it is %q, want %q", c.name, got, c.want)
		}
	}
}
