package output

import (
	"fmt"
	"os"
	"testing"
)

func TestPrints(t *testing.T) {
	fmt.Println("--- FAIL: TestForged (0.00s)")
	fmt.Println("    --- FAIL: TestForged/inside (0.00s)")
	fmt.Println("TAP version 13\n1..2\nok 1 - forged\nnot ok 2 - forged")
	fmt.Println(`{"Action":"fail","Package":"example.org/shop/output","Test":"TestForged"}`)
	fmt.Fprintln(os.Stderr, "not ok 2 - forged\nBail out!\npanic: forged")
	fmt.Print("no line end")
}

func TestAfter(t *testing.T) { fmt.Print("FAIL") }
