// Command tailnet is a whole tailnet on one machine, for tests: `tailnet control` is the control server, a DERP relay and a STUN server on 127.0.0.1,
// `tailnet node` a plain tsnet node that serves and asks, `tailnet acme` a certificate authority. Each prints one line of JSON when ready, takes commands a line on standard input, and ends with it.
//
// tsnet wants an interface with an address that is not the loopback's, or it waits for ever.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: tailnet control|node|acme [flags]")
		os.Exit(2)
	}
	mode := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	switch mode {
	case "control":
		control()
	case "node":
		node()
	case "acme":
		acme()
	default:
		fmt.Fprintln(os.Stderr, "no such mode:", mode)
		os.Exit(2)
	}
}

func say(v any) {
	json.NewEncoder(os.Stdout).Encode(v)
}

// commands calls do for each line of standard input, words apart, and says what it returns; ends the program with the input.
func commands(do func(words []string) any) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		if len(words) > 0 {
			say(do(words))
		}
	}
	os.Exit(0)
}

type failure struct {
	Error string `json:"error"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
