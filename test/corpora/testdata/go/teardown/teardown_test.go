package teardown

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	m.Run()
	fmt.Println("the database does not stop")
	os.Exit(4)
}

func TestOne(t *testing.T) {}
