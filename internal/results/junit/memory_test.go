package junit

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// endless repeats a text, so that big input need not be held in memory.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// probe looks at the heap now and then while it is read.
type probe struct {
	io.Reader
	read, looked int64
	highest      uint64
}

func (p *probe) Read(b []byte) (int, error) {
	if p.read-p.looked >= 1<<20 {
		p.looked, p.highest = p.read, max(p.highest, heap())
	}
	n, err := p.Reader.Read(b)
	p.read += int64(n)
	return n, err
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestMemoryIsConstant(t *testing.T) {
	const (
		bound = 1 << 20
		big   = 64 << 20
		// many is enough for elements: each of them takes longer than a byte does, and would leave more behind.
		many = 4 << 20
	)
	long := strings.Repeat("long ", maxText)
	failing := fmt.Sprintf("<testcase name='%s'><failure message='%[1]s'>%[1]s<![CDATA[%[1]s]]></failure></testcase>", long)
	numbered := ""
	for i := range 3 * maxFailed {
		numbered += fmt.Sprintf("<testcase name='%d'><failure/></testcase><testsuite name='%d' tests='1' timestamp='t'/>", i, i)
	}
	tests := map[string]struct {
		size             int64
		before, repeated string
	}{
		"cases":             {many, "<testsuite>", "<testcase classname='com.example.Test' name='test' time='0.001'/>\n"},
		"failing cases":     {many, "<testsuite>", failing},
		"suites":            {many, "<testsuites>", "<testsuite name='a' failures='1'></testsuite>"},
		"failing, by name":  {many, "<testsuite>", numbered},
		"failures":          {many, "<testcase>", "<failure message='m'>x</failure>"},
		"elements of one":   {many, "<testcase><failure>", "<a>x</a>"},
		"namespaces":        {many, "<testsuite>", "<testcase xmlns:a='b' c:d='e'/>"},
		"a text":            {big, "<testcase><failure>", "long "},
		"a text and CDATA":  {big, "<testcase><failure>", "<![CDATA[long]]> <!-- --> "},
		"blanks":            {big, "", " "},
		"an output":         {big, "<testcase><system-out><![CDATA[", "]] long\n"},
		"an attribute":      {big, "<testcase name='", "&lt;"},
		"a comment":         {big, "<testcase/><!-- ", "- -"},
		"an instruction":    {big, "<?xml ", "? "},
		"a document type":   {many, "<!DOCTYPE ", "<!ENTITY a '\"'><!-- -->"},
		"UTF-16":            {many, "<\x00t\x00e\x00s\x00t\x00c\x00a\x00s\x00e\x00>\x00", "<\x00a\x00>\x00\x16\x16<\x00/\x00a\x00>\x00"},
		"an end of another": {many, "<testcase/>", "<testcase/>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			repeated := &endless{text: strings.Repeat(test.repeated, 1+(4<<10)/len(test.repeated))}
			before := heap()
			var sum results.Summary
			in := &probe{Reader: io.LimitReader(io.MultiReader(strings.NewReader(test.before), repeated), test.size)}
			Read(in, "r.xml", &sum)
			if in.read < test.size {
				t.Errorf("only %d bytes were read: %s", in.read, sum.DefectMessage)
			}
			if after := max(heap(), in.highest); after > before+bound {
				t.Errorf("%d bytes are in use for %d", after-before, in.read)
			}
			runtime.KeepAlive(&sum)
		})
	}
}
