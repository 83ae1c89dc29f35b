package apiserver

import "syscall"

// endsWithTests has the kernel end a program together with the tests, also when these are killed.
func endsWithTests() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
