<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Client\Data\ChatConversation;
use P4\Client\Data\ChatFile;
use P4\Client\Data\ChatLine;
use P4\Client\Data\ChatPage;
use P4\Client\Data\ContactName;
use P4\Client\Data\ContactStatus;
use P4\Client\Data\DeviceIdentity;
use P4\Client\Data\DeviceInvite;
use P4\Client\Data\DeviceStatus;
use P4\Client\Data\Diagnosis;
use P4\Client\Data\Finding;
use P4\Client\Data\LinkPath;
use P4\Client\Data\NewToken;
use P4\Client\Data\Rotation;
use P4\Client\Data\ServiceUse;
use P4\Client\Data\TokenRecord;
use P4\Client\Data\Verification;
use P4\Client\Data\WebLogin;
use P4\P4Exception;
use P4\Transport\Loop;
use PHPUnit\Framework\TestCase;

/** What the package says of itself: its example, its chat, its types, its documentation. */
final class DocumentsTest extends TestCase
{
    private const MODELS = [
        'ConversationModel' => ChatConversation::class,
        'FileModel' => ChatFile::class,
        'EntryModel' => ChatLine::class,
        'PageModel' => ChatPage::class,
        'ContactName' => ContactName::class,
        'ContactModel' => ContactStatus::class,
        'IdentityModel' => DeviceIdentity::class,
        'InviteModel' => DeviceInvite::class,
        'StatusModel' => DeviceStatus::class,
        'DiagnosisModel' => Diagnosis::class,
        'FindingModel' => Finding::class,
        'PathModel' => LinkPath::class,
        'MadeTokenModel' => NewToken::class,
        'RotationModel' => Rotation::class,
        'ServiceModel' => ServiceUse::class,
        'TokenModel' => TokenRecord::class,
        'VerificationModel' => Verification::class,
        'WebLoginModel' => WebLogin::class,
    ];
    private const TYPES = ['string' => 'string', 'integer' => 'int', 'number' => 'float', 'boolean' => 'bool',
        'array' => 'array', 'object' => 'array'];

    public function testTheExamplesRun(): void
    {
        $two = Pair::make();
        try {
            $this->firstExample($two);
            $this->chat($two);
        } finally {
            $two->remove();
        }
    }

    private function firstExample(Pair $two): void
    {
        $readme = (string) file_get_contents(Repository::PACKAGE . '/README.md');
        preg_match('/```php\n(.*?)```/s', $readme, $found);
        $home = $two->laptopDaemon->home;
        mkdir("$home/vendor");
        $autoload = var_export(realpath(Repository::PACKAGE . '/autoload.php'), true);
        file_put_contents("$home/vendor/autoload.php", "<?php require $autoload;");
        file_put_contents("$home/hello.php", $found[1]);
        $environment = $two->laptopDaemon->environment();
        $process = proc_open([PHP_BINARY, 'hello.php'], [1 => ['pipe', 'w']], $pipes, $home, $environment);
        self::assertSame("connected\n", stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
        $entries = $two->phone->chat->page('laptop')->entries;
        self::assertSame(['hello'], array_column($entries, 'text'));
    }

    private function chat(Pair $two): void
    {
        $command = [PHP_BINARY, Repository::PACKAGE . '/examples/chat/chat.php', 'phone',
            $two->laptopDaemon->stateDirectory];
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w']], $pipes);
        $shown = '';
        $until = function (string $text) use (&$shown, $pipes): void {
            while (!str_contains($shown, $text)) {
                self::assertTrue(Loop::wait($pipes[1], until: Loop::now() + 30), "waited for $text after $shown");
                $shown .= $piece = (string) fread($pipes[1], 8192);
                self::assertNotSame('', $piece, "the chat has ended after $shown");
            }
        };
        fwrite($pipes[0], "good morning\n");
        $until("me: good morning\n");
        $two->phone->chat->say('laptop', "and \e[31myou");
        $until("phone: and ·[31myou\n");
        fclose($pipes[0]);
        self::assertSame('', stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
        self::assertSame("me: hello\nme: good morning\nphone: and ·[31myou\n", $shown);
    }

    public function testTypesAreThoseOfTheApi(): void
    {
        $path = Repository::ROOT . '/spec/daemon-api/openapi.json';
        $schemas = json_decode((string) file_get_contents($path), true)['components']['schemas'];
        $files = glob(Repository::PACKAGE . '/src/Client/Data/*.php') ?: [];
        self::assertCount(count($files) - 2, self::MODELS, 'each record has its model');
        foreach (self::MODELS as $model => $class) {
            $constructor = (new \ReflectionClass($class))->getConstructor();
            self::assertNotNull($constructor);
            $ours = [];
            foreach ($constructor->getParameters() as $parameter) {
                $key = strtolower((string) preg_replace('/[A-Z]/', '_$0', $parameter->getName()));
                $type = (string) $parameter->getType();
                $ours[$key] = str_contains($type, '\\') ? str_replace('P4\\Client\\Data\\', '', $type) : $type;
            }
            $theirs = array_map(self::typeOf(...), $schemas[$model]['properties']);
            ksort($ours);
            ksort($theirs);
            self::assertSame($theirs, $ours, $class);
        }
    }

    /** @param array<string, mixed> $schema */
    private static function typeOf(array $schema): string
    {
        $any = $schema['anyOf'] ?? null;
        if ($any !== null) {
            $types = array_values(array_filter($any, static fn (array $one) => ($one['type'] ?? '') !== 'null'));
            return (count($types) < count($any) ? '?' : '') . self::typeOf($types[0]);
        }
        $reference = $schema['$ref'] ?? null;
        if ($reference !== null) {
            $class = self::MODELS[basename($reference)] ?? null;
            return $class === null ? 'string' : basename(str_replace('\\', '/', $class)); // an enumeration is text
        }
        return self::TYPES[$schema['type'] ?? 'string'];
    }

    public function testAnAnswerOfAnotherShapeIsRefused(): void
    {
        $entries = [null, [], ['id' => 1, 'name' => 'x'], ['id' => 'x']];
        foreach ($entries as $entry) {
            try {
                ContactName::read($entry);
                self::fail('accepted');
            } catch (P4Exception $error) {
                self::assertSame('bad-answer', $error->code());
            }
        }
        self::assertSame('phone', ContactName::read(['id' => 'x', 'name' => 'phone', 'more' => 1])->name);
    }

    public function testEverythingThatIsOfferedIsDocumented(): void
    {
        $count = 0;
        $found = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(Repository::PACKAGE . '/src'));
        foreach (new \RegexIterator($found, '/\.php$/') as $file) {
            $name = substr($file->getPathname(), strlen(Repository::PACKAGE . '/src/'), -4);
            $class = new \ReflectionClass('P4\\' . str_replace('/', '\\', $name));
            $comment = (string) $class->getDocComment();
            self::assertNotSame('', $comment, "$name has no description");
            if (str_contains($comment, '@internal')) {
                continue;
            }
            foreach ($class->getMethods(\ReflectionMethod::IS_PUBLIC) as $method) {
                $own = $method->getDeclaringClass()->getName() === $class->getName();
                $inherited = ['__construct', '__destruct', 'offsetExists', 'getIterator', 'count'];
                if (!$own || in_array($method->getName(), $inherited, true)) {
                    continue;
                }
                $count++;
                $described = $method->getDocComment() !== false || $this->isDescribedByInterface($class, $method);
                self::assertTrue($described, "$name::{$method->getName()} has no description");
            }
        }
        self::assertGreaterThan(120, $count);
    }

    private function isDescribedByInterface(\ReflectionClass $class, \ReflectionMethod $method): bool
    {
        foreach ($class->getInterfaces() as $interface) {
            if ($interface->hasMethod($method->getName())) {
                return $interface->getMethod($method->getName())->getDocComment() !== false;
            }
        }
        return false;
    }
}
