<?php
class SetupTest extends PHPUnit\Framework\TestCase {
    static function setUpBeforeClass(): void { throw new RuntimeException("no database"); }
    function testOne() { $this->assertTrue(true); }
    function testTwo() { $this->assertTrue(true); }
}
