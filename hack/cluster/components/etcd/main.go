// Command etcd is the etcd server. Its own main package lives in a module that cannot be required from outside, hence
// these lines; everything is in etcdmain.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
