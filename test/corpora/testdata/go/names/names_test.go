package names

import "testing"

func TestNames(t *testing.T) {
	for _, name := range []string{
		"ends in {", "}", "answers in 5ms", "(0.00s)", "x (1.00s)", "grüßt Zoë ✓ 日本語", "a # b", `back\slash`, "# SKIP", "", "", "same", "same",
		"a/b", "--- FAIL: TestX (0.00s)", "two\nlines", "\x1b[31mred", "\x00", "]]>", "<&>\"'",
	} {
		t.Run(name, func(t *testing.T) {})
		t.Run(name+" fails", func(t *testing.T) { t.Error(name) })
	}
}
