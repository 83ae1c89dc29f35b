package gotest

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// The reader keeps as much of 64 MiB as of the first of them, whatever they hold.
func TestMemoryIsConstant(t *testing.T) {
	const (
		length = 64 << 20
		limit  = 4 << 20
	)
	long := strings.Repeat("x", 4*maxKey)
	for _, test := range []struct {
		name string
		make func(out *bytes.Buffer, i int)
	}{
		{"tests that pass", func(out *bytes.Buffer, i int) {
			fmt.Fprintf(out, `{"Action":"run","Package":"p","Test":"T%d"}`+"\n", i)
			fmt.Fprintf(out, `{"Action":"output","Package":"p","Test":"T%d","Output":"%s\n"}`+"\n", i, long)
			fmt.Fprintf(out, `{"Action":"pass","Package":"p","Test":"T%d"}`+"\n", i)
		}},
		{"tests that do not end", func(out *bytes.Buffer, i int) {
			fmt.Fprintf(out, `{"Action":"run","Package":"p","Test":"%d%s"}`+"\n", i, long)
			for range 4 {
				fmt.Fprintf(out, `{"Action":"output","Package":"p","Test":"%d%s","Output":"%s\n"}`+"\n", i, long, long)
			}
		}},
		{"packages that do not end", func(out *bytes.Buffer, i int) {
			fmt.Fprintf(out, `{"Action":"start","Package":"%d%s"}`+"\n", i, long)
			for range 4 {
				fmt.Fprintf(out, `{"Action":"output","Package":"%d%s","Output":"%s\n"}`+"\n", i, long, long)
				fmt.Fprintf(out, `{"Action":"output","Package":"%d%s","Test":"%s","Output":"%s\n"}`+"\n", i, long, long, long)
			}
		}},
		{"builds that fail", func(out *bytes.Buffer, i int) {
			fmt.Fprintf(out, `{"ImportPath":"%d%s","Action":"build-output","Output":"%s\n"}`+"\n", i, long, long)
			fmt.Fprintf(out, `{"Action":"fail","Package":"%d%s","FailedBuild":"another%s"}`+"\n", i, long, long)
			fmt.Fprintf(out, "# %d%s\n%s\n", i, long, long)
			for j := range 4 {
				fmt.Fprintf(out, "FAIL\tother%d.%d%s [build failed]\n", i, j, long)
			}
		}},
		{"one line of text", func(out *bytes.Buffer, _ int) { out.WriteString(long) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			summary := &results.Summary{}
			reader := New(summary)
			before := heap()
			var out bytes.Buffer
			for i, written := 0, 0; written < length; i++ {
				out.Reset()
				test.make(&out, i)
				written += out.Len()
				_, _ = reader.Write(out.Bytes())
				if i%2000 == 0 {
					if kept := heap() - before; kept > limit {
						t.Fatalf("%d KiB are kept after %d MiB", kept>>10, written>>20)
					}
				}
			}
			kept := heap() - before
			t.Logf("%d KiB are kept", kept>>10)
			if kept > limit {
				t.Errorf("%d KiB are kept at the end", kept>>10)
			}
			reader.Close()
			if kept := heap() - before; kept > 1<<20 {
				t.Errorf("%d KiB are kept after the end", kept>>10)
			}
			runtime.KeepAlive(summary)
			runtime.KeepAlive(reader)
		})
	}
}

// heap is the size of what is in use, in bytes.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
