package results

import "testing"

func TestLocationIn(t *testing.T) {
	tests := map[string]struct{ text, class, want string }{
		"Go":                      {"    till_test.go:9: stuck", "", "till_test.go:9"},
		"Go with a path":          {"=== RUN   TestTill\n    /src/till_test.go:9: stuck", "", "/src/till_test.go:9"},
		"GoogleTest":              {"till.cc:3\nExpected equality", "", "till.cc:3"},
		"GoogleTest with a colon": {"/src/till.cc:3: Failure", "", "/src/till.cc:3"},
		"pytest":                  {"def test_opens():\n>       assert 1 == 2\nE       assert 1 == 2\n\ntests/test_till.py:5: AssertionError", "test_till", "tests/test_till.py:5"},
		"PHPUnit":                 {"TillTest::testOpens\nFailed asserting\n\n/app/tests/TillTest.php:12\n", "TillTest", "/app/tests/TillTest.php:12"},
		"JUnit": {
			"java.lang.AssertionError: no\n\tat org.junit.Assert.fail(Assert.java:89)\n\tat shop.TillTest.opens(TillTest.java:12)\n" +
				"\tat java.base/java.lang.reflect.Method.invoke(Method.java:580)", "shop.TillTest", "TillTest.java:12",
		},
		"JUnit with a module": {"at app//shop.TillTest$Inner.opens(TillTest.java:12)", "shop.TillTest", "TillTest.java:12"},
		"Playwright":          {"till.spec.js:4:1 › till › opens ──\n\n    Error: no\n        at /srv/till.spec.js:9:38", "", "till.spec.js:4"},
		"node": {
			"Error [ERR_TEST_FAILURE]: stuck\n    at TestContext.<anonymous> (file:///srv/till.test.mjs:8:60)\n    at Test.run (node:internal/test_runner/test:796:25)", "",
			"/srv/till.test.mjs:8",
		},
		"jest": {
			"Error: expect(received).toBe(expected)\n    at Object.toBe (/srv/node_modules/expect/build/index.js:3:5)\n    at Object.<anonymous> (/srv/till.test.js:5:17)", "",
			"/srv/till.test.js:5",
		},
		"vitest":                         {"AssertionError: expected 1 to be 2\n ❯ test/till.test.ts:5:17", "", "test/till.test.ts:5"},
		"another class of a like name":   {"at shop.TillTests.opens(TillTests.java:12)", "shop.TillTest", ""},
		"a time is no place":             {"12:30:01 it failed\nlistens on localhost:8080", "", ""},
		"a place inside a line is none":  {"it says till.go:9: stuck", "", ""},
		"a URL at the start of a line":   {"http://example.com:80: refused", "", ""},
		"nothing":                        {"", "", ""},
		"a frame without a class to ask": {"at shop.TillTest.opens(TillTest.java:12)", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := LocationIn(test.text, test.class); got != test.want {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
}
