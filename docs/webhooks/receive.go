// Receives webhooks with Go's standard library: CALLMISSED_WEBHOOK_SECRET=whsec_… go run receive.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const mostBytes = 1024 * 1024

var (
	secret   = os.Getenv("CALLMISSED_WEBHOOK_SECRET")
	handling sync.Mutex
	handled  = map[string]bool{} // in production a unique column of your database, written together with what you do
)

func keyOf(secret string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
}

func verified(secret string, header http.Header, body []byte) bool {
	id, sent := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil || id == "" || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	key, err := keyOf(secret)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, sent, body)
	wanted := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	same := func(one string) bool { return hmac.Equal([]byte(one), wanted) }
	return err == nil && slices.ContainsFunc(strings.Fields(header.Get("webhook-signature")), same)
}

// An event as every webhook gets it; Data depends on Event.
type event struct {
	ID        string          `json:"id"`
	Event     string          `json:"event"`
	Version   int             `json:"version"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// Your part. Be quick, or put it into a queue: after 10 seconds the attempt counts as failed.
func handle(event event) {
	fmt.Println(event.Event, string(event.Data))
}

// Verifies the bytes as they came; only then parses them. 204 once an event is handled, now or before.
func receive(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, mostBytes))
	var received event
	if err != nil || !verified(secret, request.Header, body) || json.Unmarshal(body, &received) != nil {
		answer.WriteHeader(http.StatusBadRequest)
		return
	}
	handling.Lock()
	defer handling.Unlock()
	if id := request.Header.Get("webhook-id"); !handled[id] {
		handle(received)
		handled[id] = true
	}
	answer.WriteHeader(http.StatusNoContent)
}

func main() {
	log.SetFlags(0)
	if key, err := keyOf(secret); err != nil || len(key) == 0 || !strings.HasPrefix(secret, "whsec_") {
		log.Fatal("CALLMISSED_WEBHOOK_SECRET must be the webhook's secret, which begins with whsec_")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "9000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatalf("port %s: %v; choose another in PORT", port, err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := http.Server{Handler: http.HandlerFunc(receive), ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
