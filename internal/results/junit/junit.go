// Package junit reads JUnit XML: the format of the reports that Ant's JUnit task wrote first, and that test tools of every
// language have written since, each in its own dialect. There is no standard. What is read here is what JUnit 4 and 5, Maven
// Surefire, Gradle, pytest, PHPUnit, Jest, Mocha, GoogleTest, Catch2, Bats, gotestsum and their like are seen to write.
package junit

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxText bounds what is kept of one text or attribute value, and of the messages of one case, in bytes.
	maxText = 4 << 10
	// maxOutput bounds what is kept of the output of one case, and maxProperties and maxAttachments the lists of the other details.
	maxOutput      = 64 << 10
	maxProperties  = 64
	maxAttachments = 64
	// maxTag bounds a tag, in bytes once its attribute values are shortened.
	maxTag = 64 << 10
	// maxDepth bounds how deep elements nest.
	maxDepth = 100
	// bufferSize is how much is read at a time, in bytes.
	bufferSize = 32 << 10
)

// roots are the elements that a report may begin with.
var roots = []string{"testsuites", "testsuite", "testcase"}

var (
	errForeign     = errors.New("XML of another kind")
	errMalformed   = errors.New("invalid markup")
	errNotXML      = errors.New("no XML")
	errTagTooLong  = fmt.Errorf("a tag is longer than %d bytes", maxTag)
	errNameTooLong = fmt.Errorf("the name of an element is longer than %d bytes", results.MaxName)
	errTooDeep     = fmt.Errorf("elements nest deeper than %d", maxDepth)
)

// Read reads one file to its end, adds its cases, and says whether it is JUnit XML at all. It is if the first element is
// testsuites, testsuite or testcase, in any namespace. Text before that is skipped. A file that is not JUnit XML adds nothing.
// file is its path in messages, below the folder of all files.
//
// A file that is empty, or ends before the name of its first element, counts as incomplete JUnit XML: its writer was probably
// killed. So does a file without XML, if expected says that it should have some. If a file ends too early or is not well-formed,
// the cases before that count, and it is noted as incomplete.
func (r *Reader) Read(in io.Reader, file string, expected bool) bool {
	buffered := bufio.NewReaderSize(in, bufferSize)
	skipped, found := skipText(buffered)
	text, unknown := decode(buffered)
	p := newParser(text, r.begin(file))
	p.in.line += skipped
	err := errNotXML
	if found {
		err = p.read()
	}
	switch {
	case errors.Is(err, errForeign), errors.Is(err, errNotXML) && !expected:
		return false
	case errors.Is(err, errNotXML):
		r.sink.Note(results.Incomplete, file+" is no XML")
	case err != nil && !p.rooted && errors.Is(err, io.EOF):
		r.sink.Note(results.Incomplete, file+" is empty, or breaks off before its first element")
	case err != nil:
		r.sink.Note(results.Incomplete, fmt.Sprintf("%s breaks off at line %d: %s", file, p.in.line, p.reason(err)))
		p.breakOff()
	case unknown != "":
		r.sink.Note(results.Incomplete, fmt.Sprintf("%s is in an unknown encoding, %s", file, unknown))
	case p.trailing != "":
		r.sink.Note(results.Incomplete, fmt.Sprintf("%s has %s after its first element", file, p.trailing))
	}
	return true
}

// parser reads the elements of a file. It checks that they nest, since the decoder's RawToken does not.
type parser struct {
	in   *filter
	xml  *xml.Decoder
	file *file

	// rooted is set once the first element is known to be one of the roots; trailing says what followed its end.
	rooted   bool
	trailing string

	// open are the open elements. suites and cases are those among them that are suites and cases. verdict is the open one, if any.
	open    []element
	suites  []suite
	cases   []testcase
	verdict verdict
	// output is what the open case has printed. It is empty unless the sink takes details.
	output []byte
}

type element struct {
	name xml.Name
	kind kind
}

func newParser(text io.Reader, file *file) *parser {
	in := newFilter(text)
	decoder := xml.NewDecoder(in)
	decoder.Entity = xml.HTMLEntity
	return &parser{in: in, xml: decoder, file: file}
}

// read reads to the end, or to the first error.
func (p *parser) read() error {
	for {
		token, err := p.xml.RawToken()
		if err == nil {
			err = p.take(token)
		}
		switch {
		case err == nil:
		case !p.rooted:
			return p.unrooted(err)
		case errors.Is(err, io.EOF) && len(p.open) == 0:
			return nil
		default:
			return err
		}
	}
}

func (p *parser) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		return p.end(t.Name)
	case xml.CharData:
		p.text(t)
	}
	return nil // the filter lets nothing else through
}

// unrooted says what an error means that comes before the first element is known.
func (p *parser) unrooted(err error) error {
	var syntax *xml.SyntaxError
	malformed := errors.As(err, &syntax) || errors.Is(err, errMalformed)
	tag, begun := bytes.CutPrefix(p.in.out, []byte("<"))
	end := bytes.IndexAny(tag, " \t\r\n/>")
	named := begun && end >= 0
	switch {
	case named && isName(tag[0]) && !slices.Contains(roots, localName(string(tag[:end]))):
		return errForeign
	case malformed && !(named && isName(tag[0])):
		return errNotXML
	}
	return err
}

// isName says whether the name of an element may begin so.
func isName(b byte) bool {
	return b == '_' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= utf8.RuneSelf
}

// localName is a name without its namespace's prefix.
func localName(name string) string { return name[strings.IndexByte(name, ':')+1:] }

func (p *parser) start(tag xml.StartElement) error {
	switch {
	case len(p.open) == maxDepth:
		return errTooDeep
	case len(tag.Name.Space)+len(tag.Name.Local) > results.MaxName:
		return errNameTooLong
	case len(p.open) > 0:
	case p.rooted:
		p.trailing = "more elements"
	case !slices.Contains(roots, tag.Name.Local):
		return errForeign
	}
	p.rooted = true
	k := p.kindOf(tag.Name.Local)
	p.open = append(p.open, element{tag.Name, k})
	p.begin(k, attributes(tag.Attr))
	p.listen()
	return nil
}

func (p *parser) end(name xml.Name) error {
	last := len(p.open) - 1
	if last < 0 || p.open[last].name != name {
		return fmt.Errorf("unexpected </%s>", name.Local)
	}
	k := p.open[last].kind
	p.open = p.open[:last]
	p.finish(k)
	p.listen()
	return nil
}

// text gets the text of an element that is listened to, or text outside of all elements.
func (p *parser) text(text []byte) {
	switch {
	case p.inner() == output:
		p.output = appendBounded(p.output, text, maxOutput)
	case len(p.open) > 0:
		p.verdict.text = appendBounded(p.verdict.text, text, maxText)
	// The mark is what the filter puts at the end of a long stretch of blanks.
	case p.rooted && len(bytes.Trim(text, " \t\r\n"+mark)) > 0:
		p.trailing = "text"
	}
}

// listen tells the filter whether the text that comes next matters. The decoder asks for it after it has returned the tag.
func (p *parser) listen() {
	switch k := p.inner(); {
	case k == output:
		p.in.textLimit = maxOutput
	case len(p.open) == 0, k.isVerdict(), k == part:
		p.in.textLimit = maxText
	default:
		p.in.textLimit = 0
	}
}

// inner is the kind of the innermost open element.
func (p *parser) inner() kind {
	if len(p.open) == 0 {
		return wrapper
	}
	return p.open[len(p.open)-1].kind
}

// breakOff ends the open elements of a file that ends too early. It counts those that are known to have failed or to be skipped.
func (p *parser) breakOff() {
	for len(p.open) > 0 {
		k := p.inner()
		p.open = p.open[:len(p.open)-1]
		switch last := len(p.cases) - 1; {
		case k == caseElement && p.cases[last].outcome() == results.Passed:
			p.cases = p.cases[:last]
		case k == caseElement || k.isVerdict():
			p.finish(k)
		}
	}
}

// reason explains an error in words for people.
func (p *parser) reason(err error) string {
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return syntax.Msg
	case (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && len(p.open) > 0:
		return fmt.Sprintf("the file ends inside <%s>", p.open[len(p.open)-1].name.Local)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the file ends inside a tag or comment"
	}
	return err.Error()
}
