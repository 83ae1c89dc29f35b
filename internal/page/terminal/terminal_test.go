package terminal

import "testing"

func TestColorsBecomeClassesAndNothingElseIsLeft(t *testing.T) {
	for text, want := range map[string]string{
		"plain <b>&\"":                              "plain &lt;b&gt;&amp;&#34;",
		"\x1b[31mred\x1b[0m no":                     `<span class="f2">red</span> no`,
		"\x1b[1;4;92mall\x1b[m":                     `<span class="f11 bo un">all</span>`,
		"\x1b[38;5;196mfar\x1b[39m":                 `<span class="f10">far</span>`,
		"\x1b[48;2;0;0;250mback":                    `<span class="b13">back</span>`,
		"10 %\r20 %\r":                              "20 %",
		"\x1b[31mred\rover":                         `<span class="f2">over</span>`,
		"\x1b[2J\x1b[1;1Hat home":                   "at home",
		"\x1b]0;title\aafter":                       "after",
		"\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1b[31":                                   "",
		"\x1b":                                      "",
		"bell\a back\b \x00zero \ttab":              "bell back zero \ttab",
		"left\u202eright":                           "leftright",
		"\xff\xfe":                                  "�",
		"\x1b[\"><script>m<i>":                      "cript&gt;m&lt;i&gt;",
		"\x1b[38;5mx":                               `<span class="f1">x</span>`,
		"\x1b[999999999999999999999mx":              "x",
	} {
		if got := string(Line(text, &Style{})); got != want {
			t.Errorf("%q is\n%s and not\n%s", text, got, want)
		}
	}
}

func TestAStyleGoesOnInTheNextLine(t *testing.T) {
	var style Style
	Line("\x1b[31mred", &style)
	if got := Line("still\x1b[0m no more", &style); got != `<span class="f2">still</span> no more` {
		t.Errorf("the next line is %s", got)
	}
}

func FuzzNoLineHoldsAnElementOfItsOwn(f *testing.F) {
	f.Add("\x1b[31m<script>alert(1)</script>")
	f.Fuzz(func(t *testing.T, text string) {
		for at, rest := 0, string(Line(text, &Style{})); at < len(rest); at++ {
			if rest[at] == '<' && !startsWithSpan(rest[at:]) {
				t.Errorf("%q is %s", text, rest)
			}
		}
	})
}

func startsWithSpan(text string) bool {
	return len(text) >= 6 && (text[:6] == "<span " || text[:6] == "</span")
}
