package gotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// BenchmarkReader compares the reader with the decoding of the same events alone.
func BenchmarkReader(b *testing.B) {
	const length = 16 << 20
	var stream bytes.Buffer
	for i := 0; stream.Len() < length; i++ {
		writeTest(&stream, fmt.Sprintf("example.com/shop/part%d", i/1000), fmt.Sprintf("TestOrder/with_%d_items", i%1000), i%50 == 49)
		if i%1000 == 999 {
			fmt.Fprintf(&stream, `{"Time":%q,"Action":"fail","Package":"example.com/shop/part%d","Elapsed":1.2}`+"\n", now, i/1000)
		}
	}
	b.Run("reader", func(b *testing.B) {
		b.SetBytes(int64(stream.Len()))
		b.ReportAllocs()
		for b.Loop() {
			reader := New(&results.Summary{})
			for rest := stream.Bytes(); len(rest) > 0; rest = rest[min(len(rest), 32<<10):] {
				_, _ = reader.Write(rest[:min(len(rest), 32<<10)])
			}
			reader.Close()
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(stream.Len()))
		b.ReportAllocs()
		for b.Loop() {
			for line := range bytes.Lines(stream.Bytes()) {
				var e event
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC).Format(time.RFC3339Nano)

// writeTest writes the events of a test that logs a little.
func writeTest(out *bytes.Buffer, pkg, name string, fails bool) {
	end, report := "pass", "PASS"
	if fails {
		end, report = "fail", "FAIL"
	}
	fmt.Fprintf(out, `{"Time":%q,"Action":"run","Package":%q,"Test":%q}`+"\n", now, pkg, name)
	for _, line := range []string{
		"=== RUN   " + name, "    order_test.go:31: the order has the items that were put into the cart",
		"    order_test.go:47: got \"three\", want \"four\"", "--- " + report + ": " + name + " (0.01s)",
	} {
		fmt.Fprintf(out, `{"Time":%q,"Action":"output","Package":%q,"Test":%q,"Output":%q}`+"\n", now, pkg, name, line+"\n")
	}
	fmt.Fprintf(out, `{"Time":%q,"Action":%q,"Package":%q,"Test":%q,"Elapsed":0.01}`+"\n", now, end, pkg, name)
}
