<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Client;
use P4\P4Exception;
use P4\Tasks;

/** A real daemon in direct mode, in a temporary directory: `P4_COMMAND up`. */
final class Daemon
{
    private const OPTIONS = ['--mode', 'direct', '--no-lan', '--no-direct-signaling', '--retry-seconds', '1', '--plain',
        '--stun-server', ''];
    private const START_SECONDS = 60.0;

    public readonly string $home;
    public readonly string $stateDirectory;
    /** The same after each restart: when both have moved, neither finds the other. */
    private readonly int $port;
    /** @var resource|null */
    private mixed $process = null;
    /** @var list<Client> */
    private array $clients = [];

    public function __construct()
    {
        $this->home = sys_get_temp_dir() . '/p4php-' . bin2hex(random_bytes(6));
        $this->stateDirectory = "$this->home/.p4";
        mkdir($this->home, 0700);
        $this->port = self::freePort();
    }

    /** Begin to start it. */
    public function launch(): void
    {
        $command = [getenv('P4_COMMAND') ?: 'p4', 'up', ...self::OPTIONS, '--signal-port', (string) $this->port,
            '--state-dir', $this->stateDirectory];
        $log = ['file', "$this->home/log", 'a'];
        $nothing = ['file', PHP_OS_FAMILY === 'Windows' ? 'NUL' : '/dev/null', 'r'];
        $process = proc_open($command, [$nothing, $log, $log], $pipes, null, $this->environment());
        $this->process = is_resource($process) ? $process : throw new \RuntimeException("$command[0] does not run");
    }

    /** Wait until it answers. */
    public function await(): self
    {
        for ($until = microtime(true) + self::START_SECONDS;;) {
            try {
                Client::connect($this->stateDirectory)->close();
                return $this;
            } catch (P4Exception $error) {
                $waits = $error->code() === 'no-daemon' && microtime(true) < $until;
                if (!$waits || $this->process === null || !proc_get_status($this->process)['running']) {
                    $said = (string) file_get_contents("$this->home/log");
                    throw new \RuntimeException("the daemon did not start: $said", 0, $error);
                }
                Tasks::sleep(0.05);
            }
        }
    }

    /** A client that ends with the daemon's directory. */
    public function client(): Client
    {
        return $this->clients[] = Client::connect($this->stateDirectory, restartSeconds: 60);
    }

    /** @return array{string, string} address and token of its owner, over TCP */
    public function overTcp(): array
    {
        $text = (string) file_get_contents("$this->stateDirectory/daemon/endpoint.json");
        $entry = json_decode($text, true, flags: JSON_THROW_ON_ERROR);
        return ["http://127.0.0.1:$entry[port]", $entry['owner_token']];
    }

    /** @return array<string, string> of programs that use it */
    public function environment(): array
    {
        return ['HOME' => $this->home] + getenv();
    }

    /** As a power failure does. */
    public function kill(): void
    {
        if ($this->process !== null) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
            $this->process = null;
        }
    }

    /** Kill it, and wait until it answers again. */
    public function restart(): void
    {
        $this->kill();
        $this->launch();
        $this->await();
    }

    public function remove(): void
    {
        foreach ($this->clients as $client) {
            $client->close();
        }
        $this->kill();
        $found = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($this->home, \FilesystemIterator::SKIP_DOTS),
            \RecursiveIteratorIterator::CHILD_FIRST,
        );
        foreach ($found as $path => $entry) {
            $entry->isDir() && !$entry->isLink() ? rmdir($path) : unlink($path);
        }
        rmdir($this->home);
    }

    private static function freePort(): int
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $name = (string) stream_socket_get_name($server, false);
        fclose($server);
        return (int) substr($name, (int) strrpos($name, ':') + 1);
    }
}
