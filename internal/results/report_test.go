package results

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func aReport() *Report {
	report := &Report{Format: TAP, Final: true}
	for i, outcome := range []Outcome{Passed, Failed, Skipped, Errored} {
		report.Add(Case{
			Name: fmt.Sprintf("case %d", i), Suite: "t/a.t", Outcome: outcome, Duration: 1500 * time.Millisecond,
			Message: fmt.Sprintf("it is <%d>\nand not \"%d\"", i, i+1), Location: fmt.Sprintf("t/a.t:%d", i),
		})
	}
	report.Add(Case{Name: "flaky", Outcome: Passed, Flaky: true, Message: "not at first", Location: "t/a.t:9"})
	report.Also = "1 of 2 TAP cases failed: <b>"
	sum := Sum{1 << 40, strings.Repeat("0123456789abcdef", 4)}
	report.Archive = &Archive{Output: sum, Cases: Sum{0, sum.SHA256}, Error: "the server answered 403: <no>", Ended: time.Unix(1_700_000_000, 0)}
	report.Note(PlanNotReached, "planned 5, ran 4")
	return report
}

func TestAReportArrivesAsItWasSent(t *testing.T) {
	sent := aReport()
	got, ok := Decode(string(sent.Encode(4096)))
	if !ok {
		t.Fatal("it cannot be read")
	}
	if !reflect.DeepEqual(got.Cases(), sent.Cases()) {
		t.Errorf("sent %+v\ngot %+v", sent.Cases(), got.Cases())
	}
	for _, report := range []*Report{sent, got} {
		report.added, report.failing, report.flaky, report.others = 0, nil, nil, nil
	}
	if !reflect.DeepEqual(got, sent) {
		t.Errorf("sent %+v\ngot %+v", sent, got)
	}
	if empty, ok := Decode(string(new(Report).Encode(4096))); !ok || !reflect.DeepEqual(empty, new(Report)) {
		t.Errorf("an empty report arrives as %+v", empty)
	}
}

func TestAReportThatIsCutLosesItsEndAndNothingElse(t *testing.T) {
	report := &Report{Format: JUnit}
	for i := range 40 {
		report.Add(Case{Name: fmt.Sprintf("case %d", i), Outcome: Failed, Message: strings.Repeat(fmt.Sprint(i*7919), 20)})
	}
	whole := string(report.Encode(4096))
	head := strings.Index(whole, "\n") + 1
	before := 0
	for end := head; end <= len(whole); end++ {
		got, ok := Decode(whole[:end])
		if !ok || got.Total() != 40 {
			t.Fatalf("cut at %d of %d, it cannot be read", end, len(whole))
		}
		n := len(got.Cases())
		if n < before {
			t.Fatalf("with one byte more there are %d cases and not %d", n, before)
		}
		for i, c := range got.Cases() {
			if want := report.Cases()[i].Name; c.Name != want {
				t.Fatalf("case %d is %q", i, c.Name)
			}
		}
		before = n
	}
	if half, _ := Decode(whole[:len(whole)/2]); len(half.Cases()) < 5 {
		t.Errorf("half of it holds %d cases of 40", len(half.Cases()))
	}
	if _, ok := Decode(whole[:head/2]); ok {
		t.Error("half of a header is read")
	}
}

func TestFailingCasesShareTheRoomForTheirMessages(t *testing.T) {
	report := &Report{Format: GoTest}
	for i := range 60 {
		report.Add(Case{
			Name: fmt.Sprintf("TestNumber%d", i), Suite: "example.com/shop", Outcome: Failed,
			Message: strings.Repeat(fmt.Sprintf("shop_test.go:%d: got %d, want %d\n", 10*i, i, i+1), 20),
		})
	}
	encoded := report.Encode(4096)
	got, _ := Decode(string(encoded))
	if len(encoded) > 4096 || len(got.Cases()) != MaxCases {
		t.Fatalf("%d bytes hold %d cases", len(encoded), len(got.Cases()))
	}
	for i, c := range got.Cases() {
		if len(c.Message) < 50 || !strings.HasSuffix(c.Message, mark) {
			t.Errorf("case %d says %q", i, c.Message)
		}
	}
}

func TestAReportFitsWhateverItHolds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(length int) string {
		text := make([]rune, length)
		for i := range text {
			text[i] = rune(0x4e00 + random.IntN(0x5000)) // Chinese characters
		}
		return string(text)
	}
	report := &Report{NotStarted: noise(1000), Also: noise(1000)}
	report.Note(BailedOut, noise(1000))
	sum := Sum{1 << 50, strings.Repeat("0123456789abcdef", 4)}
	report.Archive = &Archive{Output: sum, Cases: sum, Error: noise(1000), Ended: time.Unix(1_700_000_000, 0)}
	for range 60 {
		report.Add(Case{Name: noise(100), Suite: noise(100), Outcome: Failed, Message: noise(1000), Location: noise(1000)})
	}
	for _, limit := range []int{2048, 3072, 4096} {
		encoded := report.Encode(limit)
		if got, ok := Decode(string(encoded)); len(encoded) > limit || !ok || got.Total() != 60 || len(got.Cases()) == 0 {
			t.Errorf("limit %d: %d bytes, read %t, %d cases", limit, len(encoded), ok, len(got.Cases()))
		}
	}
}

func TestWhatBefellTheTestIsReadBack(t *testing.T) {
	report := &Report{Final: true, Stopped: "SIGTERM", MemoryKills: 2}
	if got, ok := Decode(string(report.Encode(2048))); !ok || got.Stopped != "SIGTERM" || got.MemoryKills != 2 {
		t.Errorf("%+v", got)
	}
	const hostile = `{"testrun":1,"stopped":"\u001b[31m`
	if got, ok := Decode(hostile + strings.Repeat("x", 100) + `","memoryKills":-7}`); !ok || len(got.Stopped) > maxSignalName || got.MemoryKills != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOtherTextIsNoReport(t *testing.T) {
	for _, text := range []string{"", "\n", "null", "{}", `{"testrun":2}`, `{"testrun":"1"}`, "Died at t/a.t line 3.", `{"testrun":1`} {
		if report, ok := Decode(text); ok {
			t.Errorf("%q is read as %+v", text, report)
		}
	}
}

// packed makes a message out of lines that Encode would not write.
func packed(header, lines string) string {
	return header + "\n" + encoding.EncodeToString(deflate([]byte(lines)))
}

func TestWhatAForeignMessageSaysIsBounded(t *testing.T) {
	hostile := map[string]string{
		"cases longer than they look": packed(`{"testrun":1,"failed":9}`, strings.Repeat(`{"o":"Failed","m":"`+strings.Repeat("<", 170)+`"}`+"\n", 1000)),
		"more cases than are kept":    packed(`{"testrun":1}`, strings.Repeat(`{"o":"Failed"}`+"\n", 100_000)),
		"numbers out of range":        packed(`{"testrun":1,"passed":-5,"failed":9223372036854775807,"errored":9223372036854775807,"ms":-1}`, `{"ms":9223372036854775807}`),
		"more flaky than passed":      packed(`{"testrun":1,"passed":1,"flaky":2}`, `{"o":"Failed","f":true}`),
		"words that are none of ours": packed(`{"testrun":1,"format":"<script>","defect":"Bored","why":"w"}`, `{"o":"Won"}`),
		"a long header":               `{"testrun":1,"notStarted":"` + strings.Repeat(`\u0000<`, 100_000) + `","also":"` + strings.Repeat("<", 100_000) + `"}`,
		"a bomb":                      packed(`{"testrun":1}`, strings.Repeat(" ", 4<<20)), // as much as 4 KiB can be made of
	}
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			report, ok := Decode(text)
			if !ok {
				t.Fatal("it cannot be read")
			}
			checkBounds(t, report)
		})
	}
}

func checkBounds(t *testing.T, report *Report) {
	t.Helper()
	size := Size(report.NotStarted) + Size(report.DefectMessage) + Size(report.Also)
	for _, c := range report.Cases() {
		size += Size(c.Name) + Size(c.Suite) + Size(c.Message) + Size(c.Location)
		if c.Flaky && c.Outcome != Passed {
			t.Errorf("a case is %s, and flaky", c.Outcome)
		}
		if !slices.Contains([]Outcome{Passed, Failed, Errored, Skipped}, c.Outcome) {
			t.Errorf("outcome %q", c.Outcome)
		}
		if c.Duration < 0 || c.Duration > maxDuration {
			t.Errorf("duration %s", c.Duration)
		}
	}
	if report.Flaky > report.Passed {
		t.Errorf("%d of %d passed cases are flaky", report.Flaky, report.Passed)
	}
	if size > 3*MaxMessage+maxCasesSize || len(report.Cases()) > MaxCases {
		t.Errorf("%d cases, %d bytes", len(report.Cases()), size)
	}
	if total := report.Total(); total < 0 || total > 4*maxCount {
		t.Errorf("%d cases in all", total)
	}
	if _, known := gravity[report.Defect]; !known && report.Defect != "" {
		t.Errorf("defect %q", report.Defect)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(string(aReport().Encode(4096)))
	f.Add(string(new(Report).Encode(4096)))
	f.Add(packed(`{"testrun":1,"format":"TAP"}`, `{"o":"Failed","n":"a"}`))
	f.Fuzz(func(t *testing.T, text string) {
		report, ok := Decode(text)
		if !ok {
			return
		}
		checkBounds(t, report)
		encoded := report.Encode(4096)
		if len(encoded) > 4096 || !json.Valid(encoded[:strings.IndexByte(string(encoded), '\n')]) {
			t.Errorf("encoded again it is %d bytes long", len(encoded))
		}
	})
}

func TestASumThatCannotBeIsNotBelieved(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for text, want := range map[string]*Archive{
		`{"testrun":1}`:              nil,
		`{"testrun":1,"archive":{}}`: {},
		`{"testrun":1,"archive":{"output":{"length":7,"sha256":"` + hash + `"}}}`:                   {Output: Sum{7, hash}},
		`{"testrun":1,"archive":{"output":{"length":-7,"sha256":"` + hash + `"}}}`:                  {},
		`{"testrun":1,"archive":{"cases":{"length":7,"sha256":"` + hash[2:] + `"}}}`:                {},
		`{"testrun":1,"archive":{"cases":{"length":7,"sha256":"` + hash[1:] + `<"}}}`:               {},
		`{"testrun":1,"archive":{"cases":{"length":7},"error":"a\u001b[31mb"}}`:                     {Error: "ab"},
		`{"testrun":1,"archive":{"error":"` + strings.Repeat("x", 5000) + `"}}`:                     {Error: strings.Repeat("x", MaxMessage-len(mark)) + mark},
		`{"testrun":1,"archive":{"ended":1700000000}}`:                                              {Ended: time.Unix(1_700_000_000, 0)},
		`{"testrun":1,"archive":{"ended":9223372036854775807}}`:                                     {},
		`{"testrun":1,"archive":{"ended":-1}}`:                                                      {},
		`{"testrun":1,"archive":{"output":{"length":9223372036854775807,"sha256":"` + hash + `"}}}`: {},
	} {
		if got, ok := Decode(text); !ok || !reflect.DeepEqual(got.Archive, want) {
			t.Errorf("%.80s is read as %+v, want %+v", text, got.Archive, want)
		}
	}
}
