package tap

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestATestPointIsReadInItsParts(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		line string
		want point
	}{
		{"ok", point{ok: true}},
		{"not ok", point{}},
		{"ok 1", point{ok: true, number: 1, numbered: true}},
		{"ok 0", point{ok: true, numbered: true}},
		{"ok\t2\tadds", point{ok: true, number: 2, numbered: true, description: "adds"}},
		{"not ok 3 - adds - twice", point{dashed: true, number: 3, numbered: true, description: "adds - twice"}},
		{"ok - adds", point{dashed: true, ok: true, description: "adds"}},
		{"ok adds", point{ok: true, description: "adds"}},
		{"ok -5 degrees", point{ok: true, description: "-5 degrees"}},
		{"ok 3rd time", point{ok: true, description: "3rd time"}},
		{"ok-adds", point{ok: true, description: "-adds"}},
		{"ok 2: adds", point{ok: true, number: 2, numbered: true, description: ": adds"}},
		{"ok 99999999999999999999999 - big", point{dashed: true, ok: true, number: math.MaxUint64, numbered: true, description: "big"}},

		{"ok 1 # SKIP", point{ok: true, number: 1, numbered: true, directive: skip}},
		{"ok 1 - adds # skip no network", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", directive: skip, reason: "no network"}},
		{"ok 1 - adds # Skipped: no network", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", directive: skip, reason: "no network"}},
		{"ok 1 - adds #sKiP\tno network", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", directive: skip, reason: "no network"}},
		{"ok 1 - # SKIP no /sys", point{dashed: true, ok: true, number: 1, numbered: true, directive: skip, reason: "no /sys"}},
		{"not ok 1 # todo", point{number: 1, numbered: true, directive: todo}},
		{"not ok 1 adds # TODO: later # on", point{number: 1, numbered: true, description: "adds", directive: todo, reason: "later # on"}},
		{"not ok 1 # TODO & SKIP crashes", point{number: 1, numbered: true, directive: todo, reason: "crashes"}},
		{"not ok 1 adds # todolist", point{number: 1, numbered: true, description: "adds # todolist"}},
		{"ok 1 opens http://x/#skip it", point{ok: true, number: 1, numbered: true, description: "opens http://x/#skip it"}},
		{"ok 1 adds # fast # skip it", point{ok: true, number: 1, numbered: true, description: "adds # fast # skip it"}},
		{"ok 1 fixes #12 # skip it", point{ok: true, number: 1, numbered: true, description: "fixes #12", directive: skip, reason: "it"}},

		{`ok 1 adds \# TODO`, point{ok: true, number: 1, numbered: true, description: "adds # TODO"}},
		{`ok 1 adds \\ # TODO \# on`, point{ok: true, number: 1, numbered: true, description: `adds \`, directive: todo, reason: "# on"}},
		{`ok 1 \n \`, point{ok: true, number: 1, numbered: true, description: `\n \`}},

		{"ok 1 adds in 12ms", point{ok: true, number: 1, numbered: true, description: "adds in 12ms"}},
		{"ok 1 - answers in 12ms", point{dashed: true, ok: true, number: 1, numbered: true, description: "answers in 12ms"}},
		{"ok 1 - adds # time=12.5ms", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", duration: 12500 * time.Microsecond}},
		{"ok 1 - adds # time=-5ms", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds # time=-5ms"}},
		{"ok 1 - adds # time=1e300ms", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds # time=1e300ms"}},
		{"ok 1 - adds # time=1.5s", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", duration: 1500 * ms}},
		{`ok 1 - adds \# time=5ms`, point{dashed: true, ok: true, number: 1, numbered: true, description: "adds # time=5ms"}},
		{"ok 1 - adds # time = 1.25ms", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", duration: 1250 * time.Microsecond}},
		{"ok 1 - adds # time=1.5", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds # time=1.5"}},
		{"ok 1 - adds # time=5ms {", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", duration: 5 * ms, braced: true}},
		{"ok 1 - adds # TODO later {", point{dashed: true, ok: true, number: 1, numbered: true, description: "adds", directive: todo, reason: "later", braced: true}},
		{"ok 1 {", point{ok: true, number: 1, numbered: true, braced: true}},
		{"ok 1 - ${x{", point{dashed: true, ok: true, number: 1, numbered: true, description: "${x{"}},
		{"ok 3 #skip - shop.yaml", point{ok: true, number: 3, numbered: true, description: "shop.yaml", directive: skip}},
		{"ok 3 adds # SKIP -", point{ok: true, number: 3, numbered: true, description: "adds", directive: skip}},
		{"not ok 1 - adds {", point{dashed: true, number: 1, numbered: true, description: "adds", braced: true}},
	} {
		if got, ok := parsePoint([]byte(c.line)); !ok || got != c.want {
			t.Errorf("%q is read as %+v, %t, want %+v", c.line, got, ok, c.want)
		}
	}
	for _, line := range []string{"", "okay", "ok1", "ok_", "not  ok", "not okay", "nothing", "OK", "notok", "not"} {
		if got, ok := parsePoint([]byte(line)); ok {
			t.Errorf("%q is read as %+v, want no test point", line, got)
		}
	}
}

func TestAPlanIsReadInItsParts(t *testing.T) {
	for _, c := range []struct {
		line string
		want plan
	}{
		{"1..0", plan{}},
		{"1..12  ", plan{count: 12}},
		{"1..3 # three of them", plan{count: 3, reason: "three of them"}},
		{"1..0 # SKIP no network", plan{skip: true, reason: "no network"}},
		{"1..0 # skipped: no network", plan{skip: true, reason: "no network"}},
		{`1..0#skip \# 3`, plan{skip: true, reason: "# 3"}},
		{"1..99999999999999999999999", plan{count: math.MaxUint64}},
		{"1..3 todo 2;", plan{count: 3, todo: []uint64{2}}},
		{"1..9 todo 2 4 7", plan{count: 9, todo: []uint64{2, 4, 7}}},
		{"1..9  todo 2 4; # from Test.pm", plan{count: 9, todo: []uint64{2, 4}}},
	} {
		if got, ok := parsePlan([]byte(c.line)); !ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q is read as %+v, %t, want %+v", c.line, got, ok, c.want)
		}
	}
	for _, line := range []string{"1..", "1..x", "1..3x", "2..3", "1...3", "1..3 4", "1", "1..3 todo", "1..3 todo;", "1..3 todo x;", "1..3 todo list"} {
		if got, ok := parsePlan([]byte(line)); ok {
			t.Errorf("%q is read as %+v, want no plan", line, got)
		}
	}
}

func TestAHeaderOfProveIsKnown(t *testing.T) {
	for _, c := range []struct{ line, file, rest string }{
		{"t/basic.t .. ", "t/basic.t", ""},
		{"t/basic.t ..", "t/basic.t", ""},
		{"t/basic.t ........ skipped: no network", "t/basic.t", "skipped: no network"},
		{"[06:15:22] t/basic.t .. ", "t/basic.t", ""},
		{"t/basic.t .. ok", "t/basic.t", "ok"},
		{"./check ... ", "./check", ""},
	} {
		h, ok := parseHeader([]byte(c.line))
		if !ok || !h.isPath() || string(h.file) != c.file || string(h.rest) != c.rest {
			t.Errorf("%q is read as %q, %q, %t", c.line, h.file, h.rest, ok)
		}
	}
	for _, line := range []string{
		"", "..", " ..", "loading ... ", "loading config.yaml ... ", "config.yaml ... done", "a/b ..c", "a/b . ", "test a::b ... ok",
		" t/basic.t .. ", "[06:15:22]", "wait .. ",
	} {
		if h, ok := parseHeader([]byte(line)); ok && h.isPath() {
			t.Errorf("%q is read as %q, %q, want no header", line, h.file, h.rest)
		}
	}
}
