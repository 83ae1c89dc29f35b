package runner

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// text is anything that an argument can hold: no NUL.
func text(random *rand.Rand) string {
	pieces := []string{"", "a", "-", "--", "=", " ", "\n", "\"", "'", "$(NAME)", "**/*.xml", "--format=TAP", "é", "\xff", "/"}
	var out strings.Builder
	for range random.IntN(5) {
		out.WriteString(pieces[random.IntN(len(pieces))])
	}
	return out.String()
}

func TestParseReadsWhatArgsWrites(t *testing.T) {
	for seed := range uint64(10_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		want := Options{
			Format: formats[random.IntN(len(formats))], Path: text(random), Report: text(random), StopSignal: text(random),
			Grace: time.Duration(random.Int64N(1 << random.IntN(63))),
		}
		if random.IntN(2) == 0 {
			want.Identity = Identity{"default", "smoke", "6f2c0f0e", 1 + random.Int32N(100)}
		}
		if random.IntN(2) == 0 {
			want.Archive = text(random)
			want.ArchivePins = strings.Split(text(random)+[...]string{"", ",", ",b"}[random.IntN(3)], ",")
		}
		for range random.IntN(4) {
			want.Command = append(want.Command, text(random))
		}
		got, err := Parse(want.Args())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v, %v, want %+v", want.Args(), got, err, want)
		}
	}
}

// A new field that Args or Parse forgets would go unnoticed if the test above did not set it.
func TestEveryOptionIsOnTheCommandLine(t *testing.T) {
	all := Options{Format: "TAP", Path: "a.xml", Report: "/report", Grace: time.Minute, StopSignal: "SIGUSR1", Identity: Identity{"default", "smoke", "6f2c0f0e", 2}, Archive: "https://archive:9443", ArchivePins: []string{"aa", "bb"}, Command: []string{"true"}}
	for i := range reflect.TypeFor[Options]().NumField() {
		if reflect.ValueOf(all).Field(i).IsZero() {
			t.Errorf("%s is not tried", reflect.TypeFor[Options]().Field(i).Name)
		}
	}
	if got, err := Parse(all.Args()); err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("%q is read as %+v, %v", all.Args(), got, err)
	}
}

func TestTheRunnerDoesWithoutOptions(t *testing.T) {
	got, err := Parse([]string{Run, "--", "true", "--format=XML"})
	if want := (Options{Format: Auto, Grace: 28 * time.Second, Command: []string{"true", "--format=XML"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it reads %+v, %v, want %+v", got, err, want)
	}
}

func TestTheUsageNamesEveryFlag(t *testing.T) {
	var out strings.Builder
	Usage(&out)
	for _, name := range []string{"-format", "-path", "-report", "-grace", "-stop-signal", "-identity", "-archive ", "-archive-pin", DefaultPath, DefaultReport} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("%s is not in %s", name, out.String())
		}
	}
}

func TestAnIdentityThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "smoke", "default/smoke/6f2c0f0e", "default/smoke/6f2c0f0e/0", "default/smoke/6f2c0f0e/x", "a/b/c/1/2"} {
		if got, err := Parse([]string{Run, "--identity=" + text, "--", "true"}); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestTheIdentityIsFoundInTheCommandOfAContainer(t *testing.T) {
	identity := Identity{"default", "smoke", "6f2c0f0e", 2}
	command := func(o Options) []string { return append([]string{"/testrun/runner"}, o.Args()...) }
	for name, c := range map[string]struct {
		command []string
		want    Identity
	}{
		"the runner's":                    {command(Options{Identity: identity, Format: "TAP", Command: []string{"prove"}}), identity},
		"an argument of the test":         {command(Options{Command: []string{"x", "run", "--identity=a/b/c/1"}}), Identity{}},
		"one that cannot be":              {[]string{"/testrun/runner", "run", "--identity=a/b/c/0", "--", "x"}, Identity{}},
		"another program's":               {[]string{"sh", "--identity=a/b/c/1"}, Identity{}},
		"no command":                      {nil, Identity{}},
		"the runner's, without a command": {[]string{"/testrun/runner"}, Identity{}},
	} {
		if got, ok := IdentityIn(c.command); got != c.want || ok != (c.want != Identity{}) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}
