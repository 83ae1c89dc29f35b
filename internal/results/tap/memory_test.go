package tap

import (
	"runtime"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// endless are streams that could make a careless reader keep more and more.
var endless = []struct {
	name, stdout, stderr string
}{
	{"passing points", "ok - passes as it should\n", ""},
	{"failing points", "not ok - fails and never says why\n", ""},
	{"comments", "# " + strings.Repeat("why ", 50) + "\n", ""},
	{"lines without an end", strings.Repeat("not ok ", 50), strings.Repeat("# Failed ", 50)},
	{"subtests", strings.Repeat(" ", 36) + "not ok - deep\n        not ok - less\n    not ok 7 - in\n", ""},
	{"subtests that never end", "    not ok - in a subtest\n", ""},
	{"YAML", "  more: of it\n", ""},
	{"YAML in which lines look like TAP", "ok 1\n  x\n", ""},
	{"plans", "1..3\n", ""},
	{"versions", "TAP version 14\nok 1\n", ""},
	{"files of prove that die", "t/a.t .. \nDubious, test returned 2 (wstat 512, 0x200)\n", "died at t/b.t\n"},
	{"diagnostics", "ok\n", "#   Failed test 'unknown'\n#   at x line 1.\n"},
	{"a block of diagnostics", "", "#   at x line 1.\n"},
	{"diagnostics and their points", "not ok - a\n", "#   Failed test 'a'\n#   at x line 1.\n"},
}

func TestMemoryStaysConstantWhateverComes(t *testing.T) {
	const size, bound = 5 << 20, 1 << 20 // bytes, for each stream
	for _, c := range endless {
		t.Run(c.name, func(t *testing.T) {
			stdout := []byte(strings.Repeat(c.stdout, 64<<10/max(1, len(c.stdout))))
			stderr := []byte(strings.Repeat(c.stderr, 64<<10/max(1, len(c.stderr))))
			before := heap()
			var s results.Summary
			r := New(&s)
			_, _ = r.Write([]byte("1..1\nnot ok 1\n"))
			if strings.HasPrefix(c.name, "YAML") {
				_, _ = r.Write([]byte("  ---\n"))
			}
			_, _ = r.Stderr().Write([]byte("#   Failed test 'x'\n"))
			for sent := 0; sent < size; sent += len(stdout) + len(stderr) {
				_, _ = r.Write(stdout)
				_, _ = r.Stderr().Write(stderr)
			}
			if grown := heap() - before; grown > bound {
				t.Errorf("%d bytes are kept, want at most %d", grown, bound)
			}
			r.Close()
			runtime.KeepAlive(r)
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
