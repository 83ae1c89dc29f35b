package junit

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestEncodings(t *testing.T) {
	const xml = `<testcase name="é"><failure/></testcase>`
	failed := outcome{true, [4]int64{0, 1}, []string{"Failed : é: "}, ""}
	tests := map[string]struct {
		xml  string
		want outcome
	}{
		"UTF-8 needs no declaration":           {xml, failed},
		"UTF-8 may be declared":                {`<?xml version="1.0" encoding="Utf-8"?>` + xml, failed},
		"a byte order mark wins":               {"\xef\xbb\xbf" + `<?xml version="1.0" encoding="latin1"?>` + xml, failed},
		"blanks before it are ignored":         {"\n " + `<?xml version='1.0' encoding='latin1'?>` + strings.ReplaceAll(xml, "é", "\xe9"), failed},
		"UTF-16 cannot be declared in ASCII":   {`<?xml version="1.0" encoding="utf-16"?>` + xml, failed},
		"UTF-16LE needs no byte order mark":    {wide(binary.LittleEndian, `<?xml version="1.0"?>`+xml), failed},
		"UTF-16BE needs no byte order mark":    {wide(binary.BigEndian, `<?xml version="1.0"?>`+xml), failed},
		"ASCII is read of an unknown encoding": {`<?xml version="1.0" encoding="x-none"?><testcase/>`, outcome{true, [4]int64{1}, nil, "r.xml is in an unknown encoding, x-none"}},
		"so it is of a forbidden one":          {`<?xml version="1.0" encoding="iso-2022-kr"?><testcase/>`, outcome{true, [4]int64{1}, nil, "r.xml is in an unknown encoding, iso-2022-kr"}},
		"a root counts in any encoding":        {`<?xml version="1.0" encoding="x-none"?><html/>`, outcome{}},
		"another attribute is no encoding":     {`<?xml version="1.0"?><testcase encoding="x-none"/>`, outcome{true, [4]int64{1}, nil, ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { expect(t, test.xml, test.want) })
	}
}

func wide(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}
