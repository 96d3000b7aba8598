// Command doorward is the edge of a company's network in one program.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"doorward/app"
)

func main() {
	a, err := app.New(app.Options{Path: os.Args[1], Env: os.LookupEnv})
	if err == nil {
		err = a.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	for s := range ch {
		if s == syscall.SIGHUP {
			fmt.Println(a.Reload())
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), a.DrainTime())
		err = a.Stop(ctx)
		cancel()
		break
	}
}
