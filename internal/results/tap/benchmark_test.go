package tap

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// realistic is TAP of about a size, of a test that has mostly passed.
func realistic(size int) []byte {
	var out bytes.Buffer
	out.WriteString("TAP version 13\n")
	n := 1
	for ; out.Len() < size; n++ {
		switch {
		case n%100 == 0:
			fmt.Fprintf(&out, "not ok %d - module %d answers with the right status\n", n, n)
			out.WriteString("  ---\n  duration_ms: 12.25\n  error: 'expected 200, got 500'\n  stack: |-\n    at check (app.js:12:3)\n  ...\n")
		case n%10 == 0:
			fmt.Fprintf(&out, "# Subtest: group %d\n    ok 1 - begins\n    ok 2 - ends\n    1..2\nok %d - group %d\n", n, n, n)
		case n%25 == 1:
			fmt.Fprintf(&out, "ok %d - module %d listens # SKIP no network\n", n, n)
		case n%7 == 0:
			out.WriteString("connecting to the database at db.example.org, attempt 1 of 3\n")
			fallthrough
		default:
			fmt.Fprintf(&out, "ok %d - module %d handles requests in parallel\n", n, n)
		}
	}
	fmt.Fprintf(&out, "1..%d\n", n-1)
	return out.Bytes()
}

func BenchmarkRead(b *testing.B) {
	input := realistic(16 << 20)
	b.Run("reader", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			var summary results.Summary
			r := New(&summary)
			for chunk := range slices.Chunk(input, 32<<10) {
				_, _ = r.Write(chunk)
			}
			r.Close()
			if summary.Defect != "" || summary.Passed == 0 {
				b.Fatal(describe(&summary, r.Recognized()))
			}
		}
	})
	b.Run("bufio.Scanner", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			lines := 0
			for scanner := bufio.NewScanner(bytes.NewReader(input)); scanner.Scan(); {
				lines++
			}
			if lines == 0 {
				b.Fatal("no lines")
			}
		}
	})
}
