package results

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
)

// Report is what the runner says about a test: once when it has ended, and from time to time before that.
type Report struct {
	Summary
	// Format is the format that was read; empty if none was found.
	Format Format
	// Also says what failed in other formats; empty if nothing did. It fails the run like a failing case.
	Also string
	// Final is false for a report that was made while the test ran. It is the last one if the runner was killed.
	Final bool
	// NotStarted says why the command could not be executed; empty if it was.
	NotStarted string
	// Stopped names the signal that told the test to stop before it had ended, SIGTERM for one; empty if none did.
	Stopped string
	// MemoryKills is how many processes of the container the kernel killed because memory ran out.
	MemoryKills int64
	// Archive says what was to be pushed to the server; nil if there is none.
	Archive *Archive
}

// ExitNotReported is the runner's exit code if it could not write its report and the test's own exit code is 0. A test whose
// results nobody can read has not passed.
const ExitNotReported = 121

// Encoding of a report. It has to fit into a container's termination message. A kubelet keeps 4096 bytes of that, and less in a
// pod with more than three containers. The first line is a header in JSON. The second line has the cases: lines of JSON,
// compressed with DEFLATE (RFC 1951), in base64. The most important cases come first, and they can be read even if the end was
// cut off.
type header struct {
	Version       int    `json:"testrun"`
	Final         bool   `json:"final,omitempty"`
	NotStarted    string `json:"notStarted,omitempty"`
	Stopped       string `json:"stopped,omitempty"`
	MemoryKills   int64  `json:"memoryKills,omitempty"`
	Format        Format `json:"format,omitempty"`
	Passed        int64  `json:"passed,omitempty"`
	Failed        int64  `json:"failed,omitempty"`
	Errored       int64  `json:"errored,omitempty"`
	Skipped       int64  `json:"skipped,omitempty"`
	Flaky         int64  `json:"flaky,omitempty"`
	Milliseconds  int64  `json:"ms,omitempty"`
	Defect        Defect `json:"defect,omitempty"`
	DefectMessage string `json:"why,omitempty"`
	Also          string `json:"also,omitempty"`
	// Archive is missing in what older runners wrote.
	Archive *encodedArchive `json:"archive,omitempty"`
}

type encodedCase struct {
	Outcome      Outcome `json:"o"`
	Suite        string  `json:"s,omitempty"`
	Name         string  `json:"n,omitempty"`
	Milliseconds int64   `json:"ms,omitempty"`
	Location     string  `json:"l,omitempty"`
	Flaky        bool    `json:"f,omitempty"`
	Message      string  `json:"m,omitempty"`
}

const (
	encodingVersion = 1
	// maxHeaderMessage bounds each message of the header, and maxAlso the less important ones, so that they always fit.
	maxHeaderMessage = 512
	maxAlso          = 256
	// maxSignalName bounds the name of a signal.
	maxSignalName = 32
	// maxCasesSize bounds the cases, in bytes before they are compressed.
	maxCasesSize = 10 << 10
	// minShare is the least room for a failing or flaky case with its message, even if nothing is left for the next ones.
	minShare = 160
	// minMessage is the least length of a message. A shorter one says too little to be worth its place.
	minMessage = 16
)

var encoding = base64.RawStdEncoding

// Encode writes the report in at most limit bytes; limit is at least 2048. If not all cases fit, the least important are left out.
// The messages of failing cases share the room.
func (r *Report) Encode(limit int) []byte {
	why := maxHeaderMessage
	if r.NotStarted != "" {
		why = maxAlso / 2 // a test that was not started has hardly any results
	}
	head := jsonLine(header{
		Version: encodingVersion, Final: r.Final, NotStarted: Cut(r.NotStarted, maxHeaderMessage), Format: r.Format,
		Passed: r.Passed, Failed: r.Failed, Errored: r.Errored, Skipped: r.Skipped, Flaky: r.Flaky,
		Milliseconds: r.Duration.Milliseconds(),
		Defect:       r.Defect, DefectMessage: Cut(r.DefectMessage, why), Also: Cut(r.Also, maxAlso),
		Stopped: Cut(r.Stopped, maxSignalName), MemoryKills: r.MemoryKills, Archive: r.Archive.encode(),
	})
	cases := r.Cases()
	for size := maxCasesSize; size > minMessage && len(cases) > 0; size -= size / 8 {
		packed := deflate(encodeCases(cases, size))
		if len(head)+encoding.EncodedLen(len(packed)) <= limit {
			return encoding.AppendEncode(head, packed)
		}
	}
	return head
}

// encodeCases writes as many of the cases as fit into size bytes.
func encodeCases(cases []Case, size int) []byte {
	var out []byte
	telling := slices.IndexFunc(cases, func(c Case) bool { return c.Outcome == Skipped || c.Outcome == Passed && !c.Flaky })
	if telling < 0 {
		telling = len(cases)
	}
	for i, c := range cases {
		encoded := encodedCase{c.Outcome, c.Suite, c.Name, c.Duration.Milliseconds(), c.Location, c.Flaky, ""}
		bare := len(jsonLine(encoded)) + len(`,"m":""`)
		// Each failing or flaky case gets an equal share of the room that is left. What it does not need goes to the next ones.
		left := size - len(out)
		if room := min(left, max(minShare, left/max(1, telling-i))) - bare; room >= minMessage {
			encoded.Message = Cut(c.Message, room)
		}
		line := jsonLine(encoded)
		if len(line) > left && encoded.Location != "" {
			encoded.Location = ""
			line = jsonLine(encoded)
		}
		if len(line) > left {
			break
		}
		out = append(out, line...)
	}
	return out
}

func jsonLine(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // both types hold nothing that JSON cannot say
	}
	return append(encoded, '\n')
}

func deflate(plain []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(plain) // writing to a buffer does not fail
	_ = w.Close()
	return out.Bytes()
}

// inflate returns as much as it can of what was deflated and put into base64, at most maxCasesSize bytes.
func inflate(packed string) []byte {
	in := flate.NewReader(base64.NewDecoder(encoding, strings.NewReader(packed)))
	plain, _ := io.ReadAll(io.LimitReader(in, maxCasesSize)) // after an error nothing more can be read
	return plain
}

// Split parts a termination message into the words of others, and the report; nil if there is none that can be read. A kubelet
// puts what the container runtime says before what the container left.
func Split(message string) (words string, report *Report) {
	begin := strings.Index(message, `{"testrun":`)
	if begin < 0 {
		return message, nil
	}
	report, _ = Decode(message[begin:])
	return strings.TrimSuffix(message[:begin], ": "), report
}

// Decode reads what Encode wrote, even if its end is missing, and says whether text is that at all. The text may come from
// anywhere: the report is bounded and clean whatever it holds.
func Decode(text string) (*Report, bool) {
	head, packed, _ := strings.Cut(text, "\n")
	var h header
	if json.Unmarshal([]byte(head), &h) != nil || h.Version != encodingVersion {
		return nil, false
	}
	report := &Report{
		Final: h.Final, NotStarted: Cut(h.NotStarted, MaxMessage), Also: Cut(h.Also, MaxMessage),
		Stopped: Cut(h.Stopped, maxSignalName), MemoryKills: bounded(h.MemoryKills), Archive: h.Archive.decode(),
		Summary: Summary{
			Passed: bounded(h.Passed), Failed: bounded(h.Failed), Errored: bounded(h.Errored), Skipped: bounded(h.Skipped),
			Duration: fromMilliseconds(h.Milliseconds),
		},
	}
	report.Flaky = min(bounded(h.Flaky), report.Passed)
	if slices.Contains([]Format{TAP, JUnit, GoTest}, h.Format) {
		report.Format = h.Format
	}
	report.Note(h.Defect, h.DefectMessage)
	kept := decodeCases(packed)
	report.failing, report.flaky, report.others = kept.failing, kept.flaky, kept.others
	return report, true
}

func decodeCases(packed string) (kept Summary) {
	size := 0
	for line := range bytes.Lines(inflate(packed)) {
		var c encodedCase
		if json.Unmarshal(line, &c) != nil {
			break
		}
		// Another writer may not escape what Encode escapes. So the text may be larger than the bytes that were read.
		if size += Size(c.Suite) + Size(c.Name) + Size(c.Location) + Size(c.Message); size > maxCasesSize {
			break
		}
		kept.Add(Case{
			Outcome: c.Outcome, Suite: c.Suite, Name: c.Name, Duration: fromMilliseconds(c.Milliseconds),
			Location: c.Location, Flaky: c.Flaky, Message: c.Message,
		})
	}
	return kept
}

const (
	// maxCount is more cases than any test has, and a number that JSON carries safely.
	maxCount = 1 << 40
	// maxDuration is longer than any pod lives.
	maxDuration = 9999 * time.Hour
)

func bounded(count int64) int64 { return min(max(0, count), maxCount) }

func fromMilliseconds(ms int64) time.Duration {
	return time.Duration(bounded(min(ms, maxDuration.Milliseconds()))) * time.Millisecond
}
