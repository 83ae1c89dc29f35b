package junit

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// report is JUnit XML of about 16 MiB: suites of 50 cases, of which one fails. Each suite ends with an output.
func report(output string) []byte {
	const size = 16 << 20
	var out bytes.Buffer
	out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n")
	for suite := 0; out.Len() < size; suite++ {
		fmt.Fprintf(&out, "  <testsuite name=\"com.example.Suite%dTest\" tests=\"50\" errors=\"0\" skipped=\"0\" failures=\"1\" time=\"1.5\">\n", suite)
		for i := range 49 {
			fmt.Fprintf(&out, "    <testcase name=\"testNumber%d\" classname=\"com.example.Suite%dTest\" time=\"0.0%d\"/>\n", i, suite, i)
		}
		out.WriteString("    <testcase name=\"testFails\" classname=\"com.example.Test\" time=\"0.1\">\n      <failure message=\"expected:&lt;1&gt;\" " +
			"type=\"java.lang.AssertionError\"><![CDATA[java.lang.AssertionError: expected:<1>\n" +
			strings.Repeat("\tat com.example.Something.method(Something.java:42)\n", 20) + "]]></failure>\n    </testcase>\n")
		fmt.Fprintf(&out, "    <system-out><![CDATA[%s]]></system-out>\n  </testsuite>\n", output)
	}
	out.WriteString("</testsuites>\n")
	return out.Bytes()
}

func BenchmarkRead(b *testing.B) {
	outputs := map[string]string{
		"small": "",
		"big":   strings.Repeat("2026-01-01 00:00:00 INFO com.example.Something - <started> something & went on\n", 4<<10),
	}
	for _, size := range []string{"small", "big"} {
		text := report(outputs[size])
		b.Run("output="+size+"/reader", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var sum results.Summary
				if !Read(bytes.NewReader(text), "r.xml", &sum) || sum.Failed == 0 || sum.Defect != "" {
					b.Fatal(sum.DefectMessage)
				}
			}
		})
		b.Run("output="+size+"/encoding-xml-Token", func(b *testing.B) { benchmarkDecoder(b, text, (*xml.Decoder).Token) })
		b.Run("output="+size+"/encoding-xml-RawToken", func(b *testing.B) { benchmarkDecoder(b, text, (*xml.Decoder).RawToken) })
	}
}

// benchmarkDecoder measures what the decoder alone takes, as the baseline.
func benchmarkDecoder(b *testing.B, text []byte, next func(*xml.Decoder) (xml.Token, error)) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		decoder := xml.NewDecoder(bytes.NewReader(text))
		for {
			if _, err := next(decoder); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
