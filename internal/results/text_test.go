package results

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutCleansAndBounds(t *testing.T) {
	tests := map[string]struct {
		text  string
		limit int
		want  string
	}{
		"short text stays":                    {"Füße 🧪", 20, "Füße 🧪"},
		"text of just the limit stays":        {"12345678", 8, "12345678"},
		"longer text ends with a mark":        {"123456789", 8, "12345…"},
		"no character is halved":              {"ääääää", 8, "ää…"},
		"no blank is left before the mark":    {"ab       cd", 8, "ab…"},
		"what JSON escapes counts as much":    {"<<<", 12, "<…"},
		"quotes count as two":                 {`""""`, 8, `""""`},
		"blank ends go":                       {" \n a b\t\n", 20, "a b"},
		"tabs and line feeds stay":            {"a\tb\nc", 20, "a\tb\nc"},
		"CR LF is a line feed":                {"a\r\nb", 20, "a\nb"},
		"CR alone is one too":                 {"10%\r20%", 20, "10%\n20%"},
		"NUL and BEL go":                      {"a\x00b\ac", 20, "abc"},
		"colors go":                           {"\x1b[1;31mred\x1b[0m", 20, "red"},
		"titles of terminals go":              {"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", 20, "ab"},
		"other escapes go":                    {"\x1bcreset\x1b", 20, "reset"},
		"an escape that is cut goes":          {"a\x1b[31", 20, "a"},
		"an escape that is none ends at once": {"\x1b[\nb", 20, "b"},
		"C1 controls go":                      {"a\u009b31mb", 20, "a31mb"},
		"turning the text around is no way":   {"a\u202eb\u2066c", 20, "abc"},
		"invalid UTF-8 is shown as such":      {"a\xffb", 20, "a\uFFFDb"},
		"line separators of Unicode count":    {"a\u2028\u2028b", 12, "a…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Cut(test.text, test.limit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzCut(f *testing.F) {
	f.Add("Füße <b>\x1b[31m🧪\xff\x00\r\n", 8)
	f.Add(strings.Repeat("\u2028", 100), 64)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < len(mark) || limit > 1<<20 {
			return
		}
		cut := Cut(text, limit)
		encoded, err := json.Marshal(cut)
		if err != nil {
			t.Fatal(err)
		}
		if Size(cut) != len(encoded)-len(`""`) {
			t.Errorf("%q has the size %d, and JSON writes %s", cut, Size(cut), encoded)
		}
		if Size(cut) > limit || !utf8.ValidString(cut) || strings.ContainsRune(cut, '\x1b') {
			t.Errorf("%q does not fit into %d", cut, limit)
		}
		if again := Cut(cut, limit); again != cut {
			t.Errorf("cut again, %q becomes %q", cut, again)
		}
	})
}
