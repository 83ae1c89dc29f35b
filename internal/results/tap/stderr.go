package tap

import (
	"bytes"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxWaiting is how many failing cases wait for an explanation. If there are more, the oldest does not wait any longer.
	maxWaiting = 128
	// maxBlocks is how many blocks of diagnostics are kept until their failing points come.
	maxBlocks = 64
	// maxTail is how many other lines of the standard error are kept, and maxTailLine how much of each.
	maxTail     = 32
	maxTailLine = 256
	// maxWords is how much of them a message gets.
	maxWords = results.MaxMessage * 3 / 4
)

// stderrLine reads the standard error. Perl's Test::More writes "#   Failed test 'adds numbers'" there and, in further
// comments, why. The test point itself may have come long before, or may come much later.
func (r *Reader) stderrLine(line []byte) {
	text := bytes.TrimLeft(line, " ")
	if len(text) > 0 && text[0] == '#' {
		comment := commentText(text)
		if b, ok := parseBlock(comment); ok {
			b.level = min((len(line)-len(text))/indentation, maxDepth+1)
			r.queue.endBlock()
			r.queue.begun = b
			return
		}
		if r.queue.begun != nil && !isNoise(comment) {
			r.queue.begun.add(comment)
			return
		}
		if isNoise(comment) {
			r.queue.endBlock()
			return
		}
		text = comment
	}
	r.queue.endBlock()
	if reason, ok := bytes.CutPrefix(text, []byte("FAILED--Further testing stopped:")); ok {
		r.sink.Note(results.BailedOut, clip(string(bytes.TrimSpace(reason))))
		return
	}
	if text = bytes.TrimSpace(text); len(text) > 0 {
		line := string(text[:min(len(text), maxTailLine)])
		r.tail.add(line)
		r.queue.explainDeath(&r.tail, line)
	}
}

// block is what the standard error says about a failing point.
type block struct {
	level int
	name  string
	said  excerpt
	place place
}

// parseBlock reads the first line of a block: Failed test 'NAME', or for a point without a name Failed test at FILE line N.
func parseBlock(comment []byte) (*block, bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(comment, " "), []byte("Failed test "))
	if !ok {
		return nil, false
	}
	b := new(block)
	if end := bytes.LastIndexByte(rest, '\''); end > 0 && rest[0] == '\'' {
		b.name = clip(string(trim(rest[1:end])))
		rest = bytes.TrimLeft(rest[end+1:], " ")
	}
	if len(rest) > 0 {
		b.add(rest)
	}
	return b, true
}

func (b *block) add(line []byte) {
	b.said.add(line)
	b.place.comment(line)
}

// queue matches failing cases with what explains them, in whichever order they come.
type queue struct {
	sink results.Sink
	// waiting are failing cases that the sink keeps and that may still be explained, at most maxWaiting.
	waiting []*result
	// begun is a block that has not ended. blocks are those that belong to no case yet.
	begun  *block
	blocks []*block
}

// add adds a failing case to the sink and returns its number.
func (q *queue) add(res *result) results.ID {
	q.blocks = slices.DeleteFunc(q.blocks, func(b *block) bool {
		point := res.awaits(b)
		if point != nil {
			point.explain(b)
		}
		return point != nil
	})
	id, kept := q.sink.Add(res.complete())
	if res.id = id; kept && !res.explained() {
		if len(q.waiting) == maxWaiting {
			q.waiting = slices.Delete(q.waiting, 0, 1)
		}
		q.waiting = append(q.waiting, new(*res))
	}
	return id
}

// endBlock ends the block that has begun, and gives it to the first case that waits for it.
func (q *queue) endBlock() {
	b := q.begun
	if b == nil {
		return
	}
	q.begun = nil
	for _, res := range q.waiting {
		if point := res.awaits(b); point != nil {
			point.explain(b)
			q.explain(res)
			return
		}
	}
	if len(q.blocks) == maxBlocks {
		q.blocks = slices.Delete(q.blocks, 0, 1)
	}
	q.blocks = append(q.blocks, b)
}

// explainDeath gives a file that died its last words, if the latest line names it.
func (q *queue) explainDeath(t *tail, line string) {
	for _, res := range slices.Backward(q.waiting) {
		if res.died != "" && res.words == "" && strings.Contains(line, res.died) {
			res.words = t.naming(res.died)
			q.explain(res)
		}
	}
}

// close explains what still waits, if it can. Words that may belong to several files are given to none of them.
func (q *queue) close(t *tail) {
	q.waiting = slices.DeleteFunc(q.waiting, func(res *result) bool { return res.died == "" || res.words != "" })
	if len(q.waiting) == 1 {
		silent := q.waiting[0]
		silent.words = t.between(silent.period, t.period)
		q.explain(silent)
	}
	q.waiting, q.blocks = nil, nil
}

// explain tells the sink what is known about a case that waits. If nothing is missing, the case does not wait any longer.
func (q *queue) explain(res *result) {
	known := res.complete()
	q.sink.Explain(res.id, known.Message, known.Location)
	if res.explained() {
		q.waiting = slices.DeleteFunc(q.waiting, func(other *result) bool { return other == res })
	}
}

// tail keeps the last lines of the standard error that are not diagnostics.
type tail struct {
	lines []tailLine
	// period counts the documents that have ended.
	period int
}

type tailLine struct {
	text   string
	period int
}

func (t *tail) add(line string) {
	if len(t.lines) == maxTail {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, tailLine{line, t.period})
}

// about returns what a file wrote last: lines up to one that names it, or else those of its period.
func (t *tail) about(file string, period int) string {
	if words := t.naming(file); words != "" {
		return words
	}
	return t.between(period, period)
}

// naming takes the lines up to the last one that names a file, as far back as they came in one period.
func (t *tail) naming(file string) string {
	for i, line := range slices.Backward(t.lines) {
		if !strings.Contains(line.text, file) {
			continue
		}
		first := i
		for first > 0 && t.lines[first-1].period == line.period {
			first--
		}
		words := lastWords(t.lines[first : i+1])
		t.lines = slices.Delete(t.lines, first, i+1)
		return words
	}
	return ""
}

// between takes the lines of some periods.
func (t *tail) between(first, last int) string {
	var taken, others []tailLine
	for _, line := range t.lines {
		if first <= line.period && line.period <= last {
			taken = append(taken, line)
		} else {
			others = append(others, line)
		}
	}
	t.lines = others
	return lastWords(taken)
}

func lastWords(lines []tailLine) string {
	words := ""
	for _, line := range slices.Backward(lines) {
		if len(words)+len(line.text) >= maxWords {
			break
		}
		words = join(line.text, words)
	}
	return words
}
