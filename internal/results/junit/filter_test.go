package junit

import (
	"io"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	long := strings.Repeat("x", maxText)
	tests := map[string]struct{ in, want string }{
		"elements are let through":        {`<a b="c" d='e'>f</a>`, `<a b="c" d='e'>f</a>`},
		"a declaration is dropped":        {`<?xml version="1.1" encoding="x"?><a/>`, `<a/>`},
		"comments are dropped":            {`a<!-- <b> -- --->c<!---->d`, `acd`},
		"instructions are dropped":        {`a<?b > ??>c<??>d`, `acd`},
		"CDATA becomes text":              {`a<![CDATA[<b>&amp;]]]>c<![CDATA[]]>`, `a&lt;b&gt;&amp;amp;]c`},
		"a document type is dropped":      {`<!DOCTYPE a>b`, `b`},
		"so is all that it declares":      {`<!DOCTYPE a SYSTEM ">" [<!ENTITY b "c>"><!ELEMENT d (e)><!-- " --><?f '?>]>g`, `g`},
		"references are let through":      {`&lt;&#65;&#x1F600;&nbsp;&apos;`, `&lt;&#65;&#x1F600;&nbsp;&apos;`},
		"unknown references become text":  {`a & b &x; &; &# &#; &#x; &#y; &#-1; &#99999999999;`, `a &amp; b &amp;x; &amp;; &amp;# &amp;#; &amp;#x; &amp;#y; &amp;#-1; &amp;#99999999999;`},
		"illegal references are replaced": {`&#0;&#x1b;&#27;&#xD800;&#xFFFE;&#x110000;`, strings.Repeat("\ufffd", 6)},
		"illegal characters are replaced": {"a\x00\x1b\x7f\t\n\r\ufffe\uffff<b c='\x01'>", "a\ufffd\ufffd\x7f\t\n\r\ufffd\ufffd<b c='\ufffd'>"},
		"invalid UTF-8 is replaced":       {"\xff\xc3é\xe2\x82\xed\xa0\x80", "\ufffd\ufffdé\ufffd\ufffd\ufffd\ufffd\ufffd"},
		"colors are dropped":              {"\x1b[31ma\x1b[0;1m&#27;[mb\x1b[&#x1b;[1", "ab\ufffd[\ufffd[1"},
		"an end of CDATA is text":         {"a]]>b", "a]]&gt;b"},
		"attributes may hold < and >":     {`<a b="<c>" d='"&>'>`, `<a b="&lt;c&gt;" d='"&amp;&gt;'>`},
		"texts are shortened":             {long + "y<a>" + long + "<b>", long + mark + "<a>" + long + "<b>"},
		"comments do not lengthen a text": {strings.Repeat("ab<!---->", maxText), strings.Repeat("ab", maxText/2)},
		"nor does CDATA":                  {long[1:] + "<![CDATA[ab]]>c", long[1:] + "a" + mark},
		"attributes are shortened":        {`<a b="` + long + `y" c="d">`, `<a b="` + long + mark + `" c="d">`},
		"no character is halved":          {long[1:] + "é<a>", long[1:] + mark + "<a>"},
		"no reference is halved":          {long[5:] + "&quot;<a>", long[5:] + mark + "<a>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for name, chunks := range inChunks {
				got, err := io.ReadAll(newFilter(chunks(strings.NewReader(test.in))))
				if err != nil || string(got) != test.want {
					t.Errorf("%s: %q, %v\nwant %q", name, got, err, test.want)
				}
			}
		})
	}
}

func TestFilterIsAtTheTagItWasReadTo(t *testing.T) {
	f := newFilter(strings.NewReader("<a>dropped</a><b>kept</b>"))
	f.textLimit = 0
	var got strings.Builder
	for {
		b, err := f.ReadByte()
		if err != nil {
			break
		}
		got.WriteByte(b)
		if strings.HasSuffix(got.String(), "<b>") {
			f.textLimit = maxText
		}
	}
	if want := "<a></a><b>kept</b>"; got.String() != want {
		t.Errorf("read %q, want %q", got.String(), want)
	}
}
